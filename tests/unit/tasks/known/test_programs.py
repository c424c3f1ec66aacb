"""What every program has to keep: its words, its splits, its places, and the same prompts for ever."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from known_rows import rows_of
from word_tokens import WordTokens

from mibench.core.errors import UsageError
from mibench.planted.words import TABLE, VALUES, VOCABULARIES
from mibench.tasks.known.places import word
from mibench.tasks.known.program import ROWS
from mibench.tasks.known.programs import load_program, program_names, program_of, programs, task_names
from mibench.tasks.load import list_tasks, load_task
from mibench.tasks.positions import located
from mibench.tasks.task import SPLITS
from mibench.tasks.variable_task import list_variable_tasks, load_variable_task

NAMES = program_names()
DIGESTS = json.loads(Path(__file__).with_name("digests.json").read_text())
"""Digests of train, validation and test; of a variable task's first 100 rows of each set. Raise a task's version when
they change."""
ROWS_OF_A_SET = 100
KINDS = ("planted-", "siit-")
PLACES = {
    "planted-induction": {"last": 7},
    "planted-ioi": {"first_name": 0, "second_name": 2, "third_name": 4, "last": 6},
    "planted-lookup": {"entity": 3, "last": 4},
    "planted-carry": {"a1": 2, "a0": 3, "b1": 5, "b0": 6, "last": 7},
    "planted-choice": {"asked": 9, "last": 10},
    "siit-ioi": {"name1": 0, "name2": 2, "subject": 4, "last": 6},
    "siit-addition": {"tens1": 0, "ones1": 1, "tens2": 3, "ones2": 4, "last": 5},
    "siit-mcqa": {"asked": 3, "last": 11},
    "siit-greater-than": {"decade1": 4, "year1": 5, "decade2": 7, "year2": 8, "last": 9},
    "siit-ravel": {"entity": 4, "attribute": 6, "last": 7},
    "siit-hop": {"first_city": 2, "second_city": 6, "asked": 8, "last": 9},
    "siit-logic": {"first": 3, "join": 4, "second": 5, "last_join": 6, "third": 7, "last": 8},
}
"""Words that positions stand for; the others are found from what the prompt says."""


def found_by_reading(name, words):
    """Return where the positions stand that have no fixed place."""
    if name == "planted-induction":
        return {"match": words.index(words[7]), "after_match": words.index(words[7]) + 1}
    if name == "planted-choice":
        colour = words.index(words[9])
        return {"option_slot": colour - 2, "option_symbol": colour - 1, "option_colour": colour}
    if name == "siit-mcqa":
        colour = words.index(words[3], 5)
        return {"answer_symbol": colour - 1, "answer_colour": colour}
    return {}


@pytest.mark.parametrize("name", NAMES)
def test_splits_share_no_base_prompt_whatever_the_set(name):
    program = load_program(name)
    prompts = {
        split: {program.say(base) for one in program.sets for base, _ in rows_of(name, one, split)} for split in SPLITS
    }
    assert all(not prompts[one] & prompts[other] for one, other in combinations(SPLITS, 2))
    assert all(len(prompts[split]) >= ROWS[split] for split in SPLITS)


@pytest.mark.parametrize("name", NAMES)
def test_prompts_are_of_one_length_and_use_every_word_that_is_not_an_answer_alone(name):
    program = load_program(name)
    assert program.words[0] == "<s>"
    assert len(set(program.words)) == len(program.words) <= 60
    said, answers, lengths = set(), set(), set()
    for one in program.sets:
        for base, other in rows_of(name, one):
            for setting in (base, other):
                words = program.say(setting).split(" ")
                said.update(words)
                lengths.add(len(words))
                answers.add(program.answer(setting))
    assert len(lengths) == 1
    assert max(lengths) < 16
    assert said | answers | {"<s>"} == set(program.words)


@pytest.mark.parametrize("name", NAMES)
def test_positions_are_the_words_that_they_are_named_for(name):
    program = load_program(name)
    encoder = WordTokens(program.words)
    for base, other in rows_of(name, "random"):
        for setting in (base, other):
            prompt = program.say(setting)
            expected = PLACES[name] | found_by_reading(name, prompt.split())
            found = {one.name: located(one, setting, prompt, encoder) for one in program.positions}
            assert found == {one: (expected[one] + 1,) for one in found}
            assert "last" in found


def test_a_place_beyond_the_prompt_is_none():
    encoder = WordTokens(("<s>", "a", "b"))
    assert located(word("third", 2), {}, "a b", encoder) == ()
    assert located(word("second", 1), {}, "a b", encoder) == (2,)


@pytest.mark.parametrize("name", NAMES)
def test_a_program_has_a_circuit_task_of_its_first_set_and_a_variable_task(name):
    program = load_program(name)
    assert program.name == name
    task = load_task(name)
    assert (task.counterfactual, task.citation) == (next(iter(program.sets)), load_variable_task(name).citation)
    assert load_variable_task(name).variables == program.variables
    assert set(program.sizes) == set(program.variables)


@pytest.mark.parametrize("name", [one.name for one in list_tasks() if one.name.startswith(KINDS)])
def test_a_circuit_task_has_the_pairs_of_its_programs_set(name):
    program, one = program_of(name)
    task = load_task(name)
    assert task.counterfactual == one
    assert task.pairs("test") == list(program.pairs(one)("test", None))
    assert task.notes.startswith("Prompts of a model whose mechanism is known; not for other models.")


def test_every_set_of_a_planted_program_has_a_task():
    known = {one.name for one in list_tasks() if one.name.startswith("planted-")}
    assert known == {name for program in programs() for name in task_names(program) if name.startswith("planted-")}


def test_every_registered_task_is_digested():
    kinds = {"circuit": list_tasks(), "variable": list_variable_tasks()}
    for kind, found in kinds.items():
        assert {one.name for one in found if one.name.startswith(KINDS)} == set(DIGESTS[kind])


@pytest.mark.parametrize("name", DIGESTS["circuit"])
def test_the_pairs_of_a_task_stay_what_they_are(name):
    assert [load_task(name).digest(split) for split in SPLITS] == DIGESTS["circuit"][name]


@pytest.mark.parametrize("name", DIGESTS["variable"])
def test_the_rows_of_a_variable_task_stay_what_they_are(name):
    assert [load_variable_task(name).digest(split, ROWS_OF_A_SET) for split in SPLITS] == DIGESTS["variable"][name]


def test_the_planted_vocabularies_are_those_of_the_programs():
    assert {name: load_program(name).words for name in NAMES if name.startswith("planted-")} == VOCABULARIES


def test_the_tables_rows_and_columns_have_different_values():
    for line in (*TABLE, *zip(*TABLE, strict=True)):
        assert len(set(line)) == len(line)
    assert {value for row in TABLE for value in row} == set(range(len(VALUES)))


def test_unknown_programs_and_tasks_are_refused():
    with pytest.raises(UsageError, match="planted-ioi"):
        load_program("planted-ioj")
    with pytest.raises(UsageError, match="planted-ioi-s2-io-flip"):
        program_of("planted-ioi-s2-io-flop")
    assert program_of("planted-ioi-s2-io-flip")[1] == "s2_io_flip"


def test_programs_are_found_without_anything_heavy():
    code = "import sys; from mibench.tasks.known.programs import programs; list(programs())"
    heavy = 'raise SystemExit(bool({"torch", "transformers", "scipy", "pandas"} & set(sys.modules)))'
    done = subprocess.run([sys.executable, "-c", f"{code}; {heavy}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
