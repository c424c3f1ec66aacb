"""The shipped texts: as generated, in blocks that share no template and no word that is filled in."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from mibench.core.errors import UsageError
from mibench.tasks.probing import bios, cities, code, nouns, people, reviews
from mibench.tasks.probing.blocks import BLOCKS, Deal, listed
from mibench.tasks.probing.generate import MAKERS, write
from mibench.tasks.probing.load import load_sets
from mibench.tasks.probing.settings import ProbingSettings
from mibench.tasks.probing.shipped import SETS, crossed_texts, shipped_set
from mibench.tasks.probing.splits import split_of_groups
from mibench.tasks.ravel.words import CITIES
from mibench.tasks.shipped import data_folder


def test_the_generator_gives_the_shipped_bytes(tmp_path: Path) -> None:
    write(tmp_path)
    shipped = data_folder("sae-probing")
    for name in [*(f"{source}.jsonl" for source in MAKERS), "digests.json"]:
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()
    assert json.loads((shipped / "digests.json").read_text())["rows"].keys() == MAKERS.keys()


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_large_balanced_in_every_group_and_short(name: str) -> None:
    found = shipped_set(name)
    assert len(found.rows) >= 600
    by_group = defaultdict(Counter)
    for row in found.rows:
        by_group[row.group][row.label] += 1
        assert len(row.text.split()) <= 40
        assert len(row.text) <= 220
    assert len(by_group) == BLOCKS
    assert all(count[True] == count[False] for count in by_group.values())


@pytest.mark.parametrize("name", SETS)
def test_no_text_and_no_group_is_in_two_splits(name: str) -> None:
    rows = shipped_set(name).rows
    split = split_of_groups([row.group for row in rows], SETS[name].source, 0)
    assert Counter(split.values()) == {"train": 5, "validation": 2, "test": 3}
    texts = {part: {row.text for row in rows if split[row.group] == part} for part in ("train", "validation", "test")}
    assert not any(one & other for one, other in combinations(texts.values(), 2))


def test_there_are_several_sources() -> None:
    assert len(load_sets(ProbingSettings())) == len(SETS)
    assert len({concept.source for concept in SETS.values()}) >= 4


@pytest.mark.parametrize("listing", [people._OPENINGS, nouns._OPENINGS, reviews._TEMPLATES, bios._TEMPLATES])
def test_blocks_share_no_line(listing: str) -> None:
    parts = [Deal("s", block).lines(listing) for block in range(BLOCKS)]
    assert sorted(line for part in parts for line in part) == sorted(listed(listing))
    assert len(set(listed(listing))) == len(listed(listing))


def by_block(source: str) -> list[list[str]]:
    texts: dict[str, list[str]] = defaultdict(list)
    for one in crossed_texts(source):
        texts[one.group].append(one.text)
    assert len(texts) == BLOCKS
    return list(texts.values())


def in_several_blocks(source: str, entities: list[str]) -> list[str]:
    blocks = by_block(source)
    return [name for name in entities if sum(any(name in text for text in block) for block in blocks) > 1]


def test_no_city_and_no_person_is_in_two_blocks() -> None:
    names = [name.strip() for listing in people._FIELDS.values() for name in listing.replace("\n", " ").split(",")]
    assert len(names) == 200
    assert not in_several_blocks("people", names)
    assert not in_several_blocks("cities", [city.name for city in CITIES])


def test_no_activity_of_a_profession_is_in_two_blocks() -> None:
    work = [line for listing in bios._WORK.values() for line in listed(listing)]
    assert len(work) == 100
    assert not in_several_blocks("bios", work)


def test_no_template_of_a_city_is_in_two_blocks() -> None:
    openings = [line.split("{city}")[0] for line in listed(cities._OPENINGS)]
    assert not [line for line in in_several_blocks("cities", openings) if len(line) > 12]


def test_professions_and_genders_are_crossed_evenly() -> None:
    for source, (main, other) in {"bios": ("profession", "gender"), "reviews": ("topic", "sentiment")}.items():
        cells = Counter((one.group, one.values[main], one.values[other]) for one in crossed_texts(source))
        assert len(cells) == BLOCKS * 5 * 2
        assert len(set(cells.values())) == 1


def test_programs_keep_their_line_breaks() -> None:
    assert any("\n    " in one.text for one in crossed_texts("code"))
    assert not any("<a>" in one.text or "\\n    " in one.text for one in crossed_texts("code"))
    assert len({len(listed(listing)) for listing in code._SNIPPETS.values()}) == 1


def test_an_unknown_set_is_named_with_its_neighbours() -> None:
    with pytest.raises(UsageError, match="noun-animals") as caught:
        load_sets(ProbingSettings(sets=("noun-animals",)))
    assert "noun-animal" in caught.value.do
