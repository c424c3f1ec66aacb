"""Counterfactual sets change what they say, and nothing else."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from known_rows import rows_of

from mibench.core.errors import DataError
from mibench.tasks.known.changes import until
from mibench.tasks.known.programs import load_program, program_names

WORDS = {
    ("planted-induction", "query"): {7},
    ("planted-induction", "successor"): set(range(1, 7)),
    ("planted-ioi", "s2_io_flip"): {4},
    ("planted-lookup", "entity"): {3},
    ("planted-lookup", "relation"): {4},
    ("planted-carry", "carry"): {3, 6},
    ("planted-carry", "tens"): {2},
    ("planted-choice", "asked"): {9},
    ("planted-choice", "symbols"): {1, 4, 7},
    ("siit-ioi", "s2_io_flip"): {4},
    ("siit-ioi", "names"): {0, 2, 4},
    ("siit-addition", "carry"): {1, 4},
    ("siit-addition", "tens"): {0, 3},
    ("siit-mcqa", "answer_position"): {6, 8, 10},
    ("siit-mcqa", "random_letter"): {5, 7, 9},
    ("siit-greater-than", "decades"): {7},
    ("siit-greater-than", "years"): {5, 8},
    ("siit-ravel", "city"): {4},
    ("siit-ravel", "attribute"): {6},
    ("siit-hop", "asked"): {8},
    ("siit-hop", "cities"): {2, 6},
    ("siit-hop", "attribute"): {9},
    ("siit-logic", "inner"): {3, 4, 5},
    ("siit-logic", "third"): {7},
}
"""Words that a set may change."""
ALONE = {
    ("planted-induction", "query"): {"query", "answer"},
    ("planted-induction", "successor"): {"answer"},
    ("planted-ioi", "s2_io_flip"): {"subject", "answer"},
    ("planted-lookup", "entity"): {"entity", "answer"},
    ("planted-lookup", "relation"): {"answer"},
    ("planted-carry", "carry"): {"carry", "answer"},
    ("planted-carry", "tens"): {"answer"},
    ("planted-choice", "asked"): {"asked", "pointer", "answer"},
    ("planted-choice", "symbols"): {"answer"},
    ("siit-ioi", "s2_io_flip"): {"inhibited", "answer"},
    ("siit-ioi", "names"): {"answer"},
    ("siit-addition", "carry"): {"carry", "answer"},
    ("siit-addition", "tens"): {"answer"},
    ("siit-mcqa", "answer_position"): {"answer_pointer", "answer"},
    ("siit-mcqa", "random_letter"): {"answer"},
    ("siit-greater-than", "decades"): {"decades", "answer"},
    ("siit-greater-than", "years"): {"years", "answer"},
    ("siit-ravel", "city"): {"country", "continent", "language"},
    ("siit-ravel", "attribute"): set(),
    ("siit-hop", "asked"): {"city", "answer"},
    ("siit-hop", "cities"): {"city", "answer"},
    ("siit-hop", "attribute"): {"answer"},
    ("siit-logic", "inner"): {"inner", "answer"},
    ("siit-logic", "third"): {"answer"},
}
"""Variables that a set changes, in some rows at least; the program's others keep their values in all."""
ALWAYS = {
    "planted-induction": {"query", "answer"},
    "planted-ioi": {"subject", "answer"},
}
"""Variables that the set random changes in every row."""


def both(program, name):
    """Yield the prompts' words."""
    for base, other in rows_of(program.name, name):
        yield program.say(base).split(), program.say(other).split()


def changed(program, name):
    """Count in how many rows each variable differs."""
    counts = Counter()
    for base, other in rows_of(program.name, name):
        one, two = program.causal.run(base), program.causal.run(other)
        counts.update(variable for variable in program.variables if one[variable] != two[variable])
    return counts


def test_every_set_but_random_is_known_here():
    sets = {(name, one) for name in program_names() for one in load_program(name).sets if one != "random"}
    assert sets == set(WORDS) == set(ALONE)


@pytest.mark.parametrize(("name", "one"), WORDS)
def test_a_set_changes_its_words_and_no_others(name, one):
    seen = Counter()
    for base, other in both(load_program(name), one):
        differ = {place for place in range(len(base)) if base[place] != other[place]}
        assert differ <= WORDS[name, one]
        seen.update(differ)
    assert set(seen) == WORDS[name, one]


@pytest.mark.parametrize(("name", "one"), ALONE)
def test_a_set_changes_its_variables_and_keeps_the_others(name, one):
    assert set(changed(load_program(name), one)) == ALONE[name, one]


@pytest.mark.parametrize("name", program_names())
def test_random_changes_every_word_that_has_a_choice_and_every_answer(name):
    program = load_program(name)
    assert next(iter(program.sets)) == "random"
    counts, varying = Counter(), set()
    rows = list(both(program, "random"))
    for base, other in rows:
        counts.update(place for place in range(len(base)) if base[place] != other[place])
        varying |= {place for place in range(len(base)) if base[place] != rows[0][0][place]}
    assert set(counts) == varying
    assert set(changed(program, "random")) == set(program.variables)
    for base, other in rows_of(name, "random"):
        assert program.answer(base) != program.answer(other)


@pytest.mark.parametrize("name", ALWAYS)
def test_random_changes_these_variables_in_every_row(name):
    counts = changed(load_program(name), "random")
    assert all(counts[variable] == 500 for variable in ALWAYS[name])


@pytest.mark.parametrize(
    ("name", "one", "variable"),
    [
        ("planted-carry", "carry", "carry"),
        ("planted-choice", "asked", "pointer"),
        ("planted-choice", "symbols", "answer"),
        ("planted-induction", "query", "answer"),
        ("planted-induction", "successor", "answer"),
        ("planted-lookup", "relation", "answer"),
        ("siit-mcqa", "answer_position", "answer_pointer"),
        ("siit-mcqa", "random_letter", "answer"),
        ("siit-greater-than", "decades", "decades"),
        ("siit-greater-than", "years", "years"),
    ],
)
def test_what_a_set_is_named_for_changes_in_every_row(name, one, variable):
    assert changed(load_program(name), one)[variable] == 500


def test_induction_replaces_the_letter_that_answers_by_one_that_was_not_there():
    for base, other in both(load_program("planted-induction"), "successor"):
        place = base.index(base[-1]) + 1
        assert base[:place] + base[place + 1 :] == other[:place] + other[place + 1 :]
        assert other[place] not in base


@pytest.mark.parametrize("name", program_names())
def test_every_interchange_of_every_row_has_an_answer_in_the_vocabulary(name):
    program = load_program(name)
    for one in program.sets:
        for base, other in rows_of(name, one):
            for variable in program.variables:
                swapped = program.causal.interchange_on(variable, base, other)
                assert swapped[program.causal.output] in program.words


def test_a_change_that_never_fits_is_refused():
    change = until(lambda _random, base: base, lambda base, other: base != other)
    with pytest.raises(DataError, match="no counterfactual"):
        change(Random(0), {"letter": "a"})
