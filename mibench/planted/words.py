"""Words of the planted programs: each vocabulary begins with ``<s>``, and an id is a word's place in it."""

from __future__ import annotations

BOS = "<s>"
"""Begins every prompt, and is the first word of every vocabulary."""

LETTERS = tuple("abcdefghijkl")
INDUCTION_LENGTH = 7
"""Different letters of a prompt; one of them, but not the last, is said again."""
INDUCTION = (BOS, *LETTERS)

NAMES = ("ann", "ben", "cleo", "dan", "eve", "finn", "gus", "hope", "ivy", "jack")
JOINS = ("and", "with", "or", "plus")
"""Between the two names."""
MOTIONS = ("went", "came", "ran", "sat", "met", "sang", "ate", "left")
"""Between the second name and the one said again."""
GIFTS = ("gave", "spoke", "wrote", "waved", "sent", "read", "sold", "nodded")
"""Between the name said again and the last word."""
IOI_END = "to"
IOI = (BOS, *NAMES, *JOINS, *MOTIONS, *GIFTS, IOI_END)

LOOKUP_FILLERS = ("well", "now", "so", "then", "today", "often", "maybe", "here")
ENTITIES = ("fox", "owl", "bee", "cow", "elk")
RELATIONS = ("eats", "fears", "sees", "likes")
VALUES = ("moss", "snow", "fish", "honey", "grass", "seeds", "rain", "thorns", "clover", "smoke")
TABLE = (
    (0, 1, 2, 3),
    (4, 5, 6, 7),
    (8, 9, 0, 1),
    (2, 3, 4, 5),
    (6, 7, 8, 9),
)
"""Index of the value, by entity and relation: all of a row differ, and all of a column."""
LOOKUP = (BOS, *LOOKUP_FILLERS, *ENTITIES, *RELATIONS, *VALUES)

CARRY_FILLERS = ("well", "now", "so", "then")
BASE = 5
DIGITS = tuple(str(digit) for digit in range(BASE))
PLUS, EQUALS = "+", "="
CARRY = (BOS, *CARRY_FILLERS, *DIGITS, PLUS, EQUALS)

SLOTS = ("one", "two", "three")
SYMBOLS = tuple("ABCDEF")
COLOURS = ("red", "blue", "green", "white", "black", "pink")
QUESTION = "?"
CHOICE = (BOS, *SLOTS, *SYMBOLS, *COLOURS, QUESTION)

VOCABULARIES = {
    "planted-induction": INDUCTION,
    "planted-ioi": IOI,
    "planted-lookup": LOOKUP,
    "planted-carry": CARRY,
    "planted-choice": CHOICE,
}
"""By name of the program."""
