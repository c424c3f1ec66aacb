from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest

from mibench.core.errors import DataError
from mibench.tasks.generate import to_jsonl
from mibench.tasks.private import labelled
from mibench.tasks.private.keys import SPLITS
from mibench.tasks.private.labelled import private_texts
from mibench.tasks.private.overlay import use_overlay
from mibench.tasks.probing.blocks import Deal
from mibench.tasks.probing.generate import MAKERS
from mibench.tasks.probing.load import load_sets
from mibench.tasks.probing.people import _CLOSINGS, _FIELDS, _OPENINGS
from mibench.tasks.probing.settings import ProbingSettings
from mibench.tasks.probing.shipped import SETS
from mibench.tasks.probing.splits import split_of_groups
from mibench.tasks.shipped import data_folder

SALT = b"s" * 32
SMALL = ("bios", "cities", "nouns", "people")
"""Sources with few texts."""


def public_rows(source):
    return [json.loads(line) for line in (data_folder("sae-probing") / f"{source}.jsonl").read_text().splitlines()]


def held_out(rows, source):
    split = split_of_groups([row["group"] for row in rows], source, 0)
    return {row["text"] for row in rows if split[row["group"]] == "test"}


@pytest.mark.parametrize("source", SMALL)
def test_test_texts_are_new_and_disjoint_and_all_others_stay(source):
    public, found = public_rows(source), private_texts(source, SALT)
    replaced = held_out(public, source)
    one, other = (held_out(found[split], source) for split in SPLITS)
    assert len(one) == len(other) == len(replaced) > 100
    assert not one & other
    assert not (one | other) & {row["text"] for row in public}
    for rows in found.values():
        for row, own in zip(rows, public, strict=True):
            assert (row != own) == (own["text"] in replaced)


@pytest.mark.parametrize("source", SMALL)
def test_every_group_has_as_many_texts_of_each_combination(source):
    def counted(rows):
        return Counter(tuple(value for key, value in row.items() if key != "text") for row in rows)

    found = private_texts(source, SALT)
    assert counted(found["final"]) == counted(found["standings"]) == counted(public_rows(source))


@pytest.mark.parametrize("name", ["bio-gender", "city-europe", "noun-food", "person-musician"])
def test_probes_are_trained_on_the_same_texts_and_scored_on_new_ones(tmp_path, name):
    source, settings = SETS[name].source, ProbingSettings(sets=(name,))
    rows = to_jsonl(private_texts(source, SALT)["final"])
    folder = tmp_path / "sae-probing"
    folder.mkdir()
    (folder / f"{source}.jsonl").write_bytes(rows)
    sha = hashlib.sha256(rows).hexdigest()
    (folder / "digests.json").write_text(json.dumps({"sha256": {f"{source}.jsonl": sha}}))

    def divided():
        (found,) = load_sets(settings)
        split = split_of_groups([row.group for row in found.rows], source, settings.split_seed)
        return {part: {row for row in found.rows if split[row.group] == part} for part in set(split.values())}

    public = divided()
    use_overlay(tmp_path)
    private = divided()
    assert (private["train"], private["validation"]) == (public["train"], public["validation"])
    assert len(private["test"]) == len(public["test"])
    assert not {row.text for row in private["test"]} & {row.text for row in public["test"]}


def test_templates_and_words_are_those_of_the_test_blocks_alone():
    split = split_of_groups([row["group"] for row in public_rows("people")], "people", 0)
    trained = [int(group.rpartition("-")[2]) for group, part in split.items() if part != "test"]
    deal = Deal("people", tuple(trained))
    words = [*(name for names in _FIELDS.values() for name in deal.words(names)), *deal.lines(_CLOSINGS)]
    openings = [opening.split("{name}")[0] for opening in deal.lines(_OPENINGS)]
    for text in held_out(private_texts("people", SALT)["final"], "people"):
        assert not any(text.endswith(f" {word}") or f" {word} " in f" {text} " for word in words)
        assert not any(opening and text.startswith(opening) for opening in openings)


def test_a_salt_gives_the_same_rows_and_another_salt_others():
    assert private_texts("people", SALT) == private_texts("people", SALT)
    assert private_texts("people", SALT) != private_texts("people", b"t" * 32)


def test_a_source_with_too_few_texts_is_refused(monkeypatch):
    make, count = MAKERS["people"]
    monkeypatch.setitem(MAKERS, "people", (lambda block: list(make(block))[:200], count))
    with pytest.raises(DataError, match="'people' cannot be private") as caught:
        labelled.private_texts("people", SALT)
    assert "there are 0 that are not public" in caught.value.why


@pytest.mark.parametrize("block", range(10))
def test_one_block_is_dealt_as_before_and_several_are_its_union(block):
    items = [f"item {number}" for number in range(37)]
    assert set(Deal("x", (block, 3)).share(items)) == set(Deal("x", block).share(items)) | set(
        Deal("x", 3).share(items)
    )
