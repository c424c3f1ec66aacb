"""Answers of the programs, read off their prompts a second time, without their causal models."""

from __future__ import annotations

from collections import Counter

import pytest
from known_rows import rows_of

from mibench.tasks.known.cities import CITIES
from mibench.tasks.known.programs import load_program, program_names


def induction(words):
    return words[words.index(words[-1]) + 1]


def ioi(words):
    return next(name for name, count in Counter((words[0], words[2], words[4])).items() if count == 1)


def lookup(words):
    table = """
        fox eats moss | fox fears snow | fox sees fish | fox likes honey
        owl eats grass | owl fears seeds | owl sees rain | owl likes thorns
        bee eats clover | bee fears smoke | bee sees moss | bee likes snow
        cow eats fish | cow fears honey | cow sees grass | cow likes seeds
        elk eats rain | elk fears thorns | elk sees clover | elk likes smoke
    """
    lines = [line.split() for row in table.strip().splitlines() for line in row.split("|")]
    return next(value for entity, relation, value in lines if [entity, relation] == words[3:])


def second_digit(base, first, second):
    total = int("".join(first), base) + int("".join(second), base)
    return str(total // base % base)


def options(words, asked, size):
    """Find the option that ends with the colour asked for; the symbol stands before the colour."""
    found = [words[at : at + size] for at in range(0, len(words), size)]
    return next(option[-2] for option in found if option[-1] == asked)


def greater(words):
    first, second = int(words[4] + words[5]), int(words[7] + words[8])
    return "yes" if first < second else "no"


def attribute(city, name):
    return dict(zip(("country", "continent", "language"), CITIES[city], strict=True))[name]


def joined(left, join, right):
    truth = {"yes": True, "no": False}
    found = {
        "and": truth[left] & truth[right],
        "or": truth[left] | truth[right],
        "xor": truth[left] ^ truth[right],
    }
    return "yes" if found[join] else "no"


NAIVE = {
    "planted-induction": induction,
    "planted-ioi": ioi,
    "planted-lookup": lookup,
    "planted-carry": lambda words: second_digit(5, words[2:4], words[5:7]),
    "planted-choice": lambda words: options(words[:9], words[9], 3),
    "siit-ioi": ioi,
    "siit-addition": lambda words: second_digit(10, words[0:2], words[3:5]),
    "siit-mcqa": lambda words: options(words[5:11], words[3], 2),
    "siit-greater-than": greater,
    "siit-ravel": lambda words: attribute(words[4], words[6]),
    "siit-hop": lambda words: attribute(words[words.index(words[8]) + 2], words[9]),
    "siit-logic": lambda words: joined(joined(*words[3:6]), *words[6:8]),
}


@pytest.mark.parametrize("name", program_names())
def test_every_answer_is_what_the_prompt_says(name):
    program = load_program(name)
    for one in program.sets:
        for base, other in rows_of(name, one):
            for setting in (base, other):
                assert program.answer(setting) == NAIVE[name](program.say(setting).split())


@pytest.mark.parametrize("name", program_names())
def test_no_answer_is_given_most_of_the_time(name):
    program = load_program(name)
    rows = rows_of(name, "random")
    shares = Counter(program.answer(base) for base, _ in rows)
    assert max(shares.values()) < 0.6 * len(rows)
    assert len(shares) > 1
