"""Simple clauses with tense, mood, polarity and number crossed; written for mibench."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from mibench.tasks.probing.blocks import Blocks, Deal, capital
from mibench.tasks.probing.labelled import CrossedText

COUNT = 4
"""Texts of each of the 16 combinations in a block."""

_SUBJECTS = """
the girl / the girls
the teacher / the teachers
my brother / my brothers
the old man / the old men
a student / some students
the farmer / the farmers
our neighbour / our neighbours
the doctor / the doctors
his friend / his friends
the woman next door / the women next door
a soldier / several soldiers
the driver / the drivers
her cousin / her cousins
the visitor / the visitors
the tall boy / the tall boys
that lawyer / those lawyers
the actor / the actors
your colleague / your colleagues
the child / the children
this engineer / these engineers
"""
_VERBS = """
carry carries carried
open opens opened
find finds found
buy buys bought
clean cleans cleaned
sell sells sold
bring brings brought
break breaks broke
like likes liked
paint paints painted
hide hides hid
see sees saw
move moves moved
need needs needed
check checks checked
choose chooses chose
lose loses lost
keep keeps kept
want wants wanted
watch watches watched
hold holds held
push pushes pushed
throw throws threw
describe describes described
draw draws drew
repair repairs repaired
forget forgets forgot
take takes took
mention mentions mentioned
steal steals stole
use uses used
touch touches touched
remember remembers remembered
send sends sent
drop drops dropped
show shows showed
order orders ordered
leave leaves left
give gives gave
lift lifts lifted
"""
_OBJECTS = """
the box, the letter, a red bicycle, the old chair, the heavy bag, the map, the new lamp, a small table, the key,
the picture, the ladder, a wooden spoon, the clock, the blanket, the yellow umbrella, a basket, the newspaper,
the mirror, the green bottle, a cup, the radio, the rope, the curtain, a pencil, the suitcase, the plate, the
ticket, a candle, the garden chair, the parcel, the brush, a guitar, the tent, the wallet, the big pot, a
notebook, the carpet, the flag, the bench, a toy car
"""
_PLACES = """
at home, in the kitchen, at the station, in the garden, near the river, on the hill, at school, in town, behind
the house, in the hall, at the market, on the beach, in the office, at the farm, by the lake, in the street, at
the party, in the yard, on the train, at the camp
"""


def texts(block: Blocks) -> Iterator[CrossedText]:
    """Yield every clause of a block, without a full stop or question mark."""
    deal = Deal("grammar", block)
    parts = deal.lines(_SUBJECTS), deal.lines(_VERBS), deal.words(_OBJECTS), deal.words(_PLACES)
    values = product(("past", "present"), ("question", "statement"), ("negative", "positive"), ("plural", "singular"))
    for tense, mood, polarity, number in values:
        for subject, verb, thing, place in product(*parts):
            words = {"tense": tense, "mood": mood, "polarity": polarity, "number": number}
            clause = _clause(subject.split(" / ")[number == "plural"], verb.split(), words)
            yield deal.text(capital(f"{clause} {thing} {place}"), **words)


def _clause(subject: str, verb: list[str], words: dict[str, str]) -> str:
    base, third, past = verb
    singular = words["number"] == "singular"
    helper = "did" if words["tense"] == "past" else "does" if singular else "do"
    without = words["polarity"] == "negative"
    if words["mood"] == "question":
        return f"{helper} {subject} {'not ' if without else ''}{base}"
    if without:
        return f"{subject} {helper} not {base}"
    return f"{subject} {past if words['tense'] == 'past' else third if singular else base}"
