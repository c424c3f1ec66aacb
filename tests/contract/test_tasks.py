"""What every registered task has to keep."""

from __future__ import annotations

import re

import pytest

from mibench.core.hashing import file_digest
from mibench.core.specs import Track
from mibench.tasks.encode import bos_policy, encode
from mibench.tasks.ioi_generate import SIZES, generate, to_jsonl
from mibench.tasks.load import list_tasks, load_task
from mibench.tasks.mib_ioi import LOCAL_COPY
from mibench.tasks.pairs import METRICS
from mibench.tasks.shipped import data_folder


class Words:
    """One token a word."""

    bos_id = 0

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}

    def encode(self, text: str) -> list[int]:
        return [self.ids.setdefault(word.strip(".,;"), len(self.ids) + 1) for word in text.split()]


NAMES = [component.name for component in list_tasks()]
VOCABULARY = 100_000


@pytest.fixture
def find(tmp_path, monkeypatch):
    """Load tasks with stand-ins for what only the hub has."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setenv(LOCAL_COPY, str(data_folder("ioi")))
    return load_task


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
        {prompt for pair in found.pairs(split) for prompt in (pair.clean, pair.counterfactual)}
        for split in found.splits
    ]
    assert sum(len(one) for one in prompts) == len(set().union(*prompts))


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_one_policy_holds(name, find):
    found = find(name)
    for split in found.splits:
        pairs = found.pairs(split)
        assert len({pair.id for pair in pairs}) == len(pairs)
        assert bos_policy(pairs) in {"prepend", "as-given"}


@pytest.mark.parametrize("name", NAMES)
def test_pairs_encode_and_differ_only_where_the_counterfactual_changes_them(name, find):
    found = find(name)
    encoder = Words()
    for pair in encode(found.pairs("validation", 100, encoder), encoder, VOCABULARY):
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


@pytest.mark.parametrize("split", SIZES)
def test_ioi_regenerates_byte_for_byte_from_its_seed(split):
    shipped = (data_folder("ioi") / f"{split}.jsonl").read_bytes()
    assert shipped.startswith(to_jsonl(generate(split, 50)))
    assert shipped.count(b"\n") == SIZES[split]


def test_the_counterfactual_of_ioi_flips_the_label():
    for split, size in SIZES.items():
        for row in generate(split, min(size, 200)):
            flipped = row["s2_io_flip_counterfactual"]
            assert row["choices"][row["answerKey"]] == row["metadata"]["indirect_object"]
            assert flipped["choices"][flipped["answerKey"]] == row["metadata"]["subject"]


def test_ioi_balances_the_order_of_names_and_the_answer_key():
    for split in SIZES:
        rows = generate(split, 200)
        assert sum(row["choices"][0] == row["metadata"]["subject"] for row in rows) == 100
        assert sum(row["answerKey"] for row in rows) == 100


def test_the_data_card_names_licence_and_seed():
    card = (data_folder("ioi") / "DATACARD.md").read_text()
    assert "Apache-2.0" in card
    assert "20260" in card
    assert file_digest(data_folder("ioi") / "test.jsonl") in (data_folder("ioi") / "digests.json").read_text()
