"""What every registered task has to keep."""

from __future__ import annotations

import re

import pytest
from text_pieces import Pieces
from word_tokens import WordTokens

from mibench.core.errors import DataError
from mibench.core.specs import Track
from mibench.tasks.encode import bos_policy, encode
from mibench.tasks.ioi.generate import RECIPE
from mibench.tasks.known.programs import program_of, programs, task_names
from mibench.tasks.load import list_tasks, load_task
from mibench.tasks.pairs import METRICS
from mibench.tasks.shipped import data_folder

NAMES = [component.name for component in list_tasks()]
KNOWN = {name for program in programs() for name in task_names(program)}
"""Prompts of a program: made for the tokenizer of its models, which knows its words and no others."""
VOCABULARY = 100_000
STAND_INS = {"ARC_EASY": "mcqa", "ARC_CHALLENGE": "mcqa", "MCQA": "mcqa", "IOI": "ioi"} | {
    f"ARITHMETIC_{word}": f"arithmetic-{word.lower()}" for word in ("ADDITION", "SUBTRACTION")
}
"""Our own sets in the schema of the hub's."""


@pytest.fixture
def find(monkeypatch):
    """Load tasks with stand-ins for what only the hub has."""
    for name, folder in STAND_INS.items():
        monkeypatch.setenv(f"MIBENCH_MIB_{name}", str(data_folder(folder)))
    return load_task


def _usable(found, split, limit):
    """Return the pairs for a tokenizer that the task takes, and the tokenizer."""
    words = [WordTokens(program_of(found.name)[0].words)] if found.name in KNOWN else []
    for encoder in words or [Pieces(digits) for digits in (3, 2, 1)]:
        try:
            return found.pairs(split, limit, encoder), encoder
        except DataError:
            continue
    raise AssertionError(f"no tokenizer fits {found.name}")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_declared_is_what_is_loaded(name):
    component = next(component for component in list_tasks() if component.name == name)
    found = load_task(name)
    assert found.name == name
    assert found.description == component.doc
    assert {key: getattr(found, key) for key in component.metadata} == component.metadata


@pytest.mark.parametrize("name", NAMES)
def test_a_task_says_what_it_is_whose_and_under_which_licence(name):
    found = load_task(name)
    assert found.description.endswith(".")
    assert re.search(r"\b(19|20)\d\d\b", found.citation)
    assert re.fullmatch(r"[A-Za-z0-9.+-]+", found.licence)
    assert found.version >= 1
    assert found.track in set(Track)
    assert found.metric in METRICS
    assert found.counterfactual


@pytest.mark.parametrize("name", NAMES)
def test_splits_share_no_prompt(name, find):
    found = find(name)
    prompts = [
        {prompt for pair in found.pairs(split) for prompt in (pair.clean, pair.counterfactual)[: _compared(name)]}
        for split in found.splits
    ]
    assert sum(len(one) for one in prompts) == len(set().union(*prompts))


def _compared(name):
    """A program's counterfactual is its base but for a word, so it may be the base of another split."""
    return 1 if name in KNOWN else 2


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_one_policy_holds(name, find):
    found = find(name)
    for split in found.splits:
        pairs = found.pairs(split)
        assert len({pair.id for pair in pairs}) == len(pairs)
        assert bos_policy(pairs) in {"prepend", "as-given"}


@pytest.mark.parametrize("name", NAMES)
def test_pairs_encode_and_differ_only_where_the_counterfactual_changes_them(name, find):
    pairs, encoder = _usable(find(name), "validation", 100)
    for pair in encode(pairs, encoder, VOCABULARY):
        assert pair.first_difference is not None
        assert not set(pair.correct) & set(pair.incorrect)


@pytest.mark.parametrize("name", NAMES)
def test_the_digest_is_stable_and_tells_splits_and_limits_apart(name, find):
    found = find(name)
    digests = [found.digest(split, limit) for split in found.splits for limit in (None, 10)]
    assert len(set(digests)) == len(digests)
    assert found.digest("train", 10) == digests[1]


@pytest.mark.parametrize(
    ("split", "digest"),
    [
        ("train", "bcb3f51cbac932f6cabb0fed56acffb7046b73b7d0c640bacde32aa86faea39c"),
        ("validation", "fdb9c7aaacee2db4b6717362678e4f97a7aef9033229e9bad3230e0a36fab9b0"),
        ("test", "a785bff884fa2a13d802f13d3e2d32409d99ecaf9eeeb3b59a158d6a8c8201c2"),
    ],
)
def test_ioi_version_1_is_fixed(split, digest):
    assert load_task("ioi").digest(split) == digest


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("mcqa", "c2e3d6b1b615ae66f7395e1cdc12fb66dd81e9ec674a90769a3e565e9d3bd8c5"),
        ("arithmetic-addition", "412829c9b9ff2c38bb7e785a196303ee9dba9c26ec3d36da7909eb314240adaa"),
        ("arithmetic-subtraction", "99af4f5a1e2304e6d50ab5fb67d210aaf110783b8a53fdd9e03034de3389921a"),
        ("arithmetic-digit", "318c6c0c2e016ccfecf2b4a2e421af9bd5d36e46a034de774f1e126233b5025d"),
        ("greater-than", "559019090fc6d833f43547a2f41c485a915557b9c2e54ed954192365abb0a738"),
        ("greater-than-digit", "f64557b4930169a3bb7a80680b1b8e28d88a1ed6a2b85c9f797ef6dcbd71718e"),
    ],
)
def test_version_1_of_the_other_sets_is_fixed(name, digest):
    assert load_task(name).digest("test") == digest


def test_the_counterfactual_of_ioi_flips_the_label():
    for split in RECIPE.rows_of:
        for row in RECIPE.rows(split, 200):
            flipped = row["s2_io_flip_counterfactual"]
            assert row["choices"][row["answerKey"]] == row["metadata"]["indirect_object"]
            assert flipped["choices"][flipped["answerKey"]] == row["metadata"]["subject"]


def test_ioi_balances_the_order_of_names_and_the_answer_key():
    for split in RECIPE.rows_of:
        rows = RECIPE.rows(split, 200)
        assert sum(row["choices"][0] == row["metadata"]["subject"] for row in rows) == 100
        assert sum(row["answerKey"] for row in rows) == 100
