"""Labelled sets: balanced, without duplicates, and divided so that no group is on two sides."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.tasks.probing.labelled import LabelledSet, LabelledText, in_turns, spread
from mibench.tasks.probing.splits import split_of_groups

GROUPS = st.lists(st.sampled_from("abcdefghijklmnopqrst"), min_size=1, max_size=120)


def made(rows: int = 40, groups: int = 8) -> LabelledSet:
    texts = (LabelledText(f"text {row}", row % 3 == 0, f"g{row % groups}") for row in range(rows))
    return LabelledSet("made", "source", tuple(texts), "CC0-1.0")


@settings(max_examples=80, deadline=None)
@given(GROUPS, st.integers(0, 5))
def test_no_group_is_in_two_splits_and_sizes_are_near_the_shares(groups: list[str], seed: int) -> None:
    found = split_of_groups(groups, "s", seed)
    assert set(found) == set(groups)
    rows = Counter(found[group] for group in groups)
    largest = max(Counter(groups).values())
    for name, share in (("train", 0.5), ("validation", 0.2), ("test", 0.3)):
        assert abs(rows[name] - share * len(groups)) <= largest


def test_ten_even_groups_are_divided_five_to_two_to_three() -> None:
    found = split_of_groups([f"g{row % 10}" for row in range(70)], "s", 0)
    assert Counter(found.values()) == {"train": 5, "validation": 2, "test": 3}


def test_the_order_of_the_rows_does_not_matter_and_the_seed_does() -> None:
    groups = [f"g{row % 12}" for row in range(60)]
    assert split_of_groups(groups, "s", 0) == split_of_groups(groups[::-1], "s", 0)
    assert len({tuple(sorted(split_of_groups(groups, "s", seed).items())) for seed in range(5)}) > 1
    assert split_of_groups(groups, "s", 0) != split_of_groups(groups, "another", 0)


def test_a_part_is_balanced_spread_over_groups_and_nested() -> None:
    whole = made()
    parts = {n: whole.first(n) for n in (8, 16, 1000)}
    for n, part in parts.items():
        labels = Counter(row.label for row in part.rows)
        assert labels[True] == labels[False] == min(n // 2, 14)
    assert set(parts[8].rows) < set(parts[16].rows) < set(parts[1000].rows)
    positives = [row.group for row in parts[16].rows if row.label]
    assert len(set(positives)) == 8
    assert [row for row in whole.rows if row in set(parts[8].rows)] == list(parts[8].rows)


def test_one_row_of_each_label_is_the_least() -> None:
    assert Counter(row.label for row in made().first(1).rows) == {True: 1, False: 1}


def test_groups_take_turns() -> None:
    rows = [LabelledText(f"{group}{row}", True, group) for group in "ab" for row in range(3)]
    assert {row.group for row in spread(rows)[:2]} == {"a", "b"}
    assert in_turns([[1, 4, 6], [2], [3, 5]]) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "rows",
    [
        (LabelledText("x", True, "a"), LabelledText("x", False, "b")),
        (LabelledText("x", True, "a"), LabelledText("y", True, "b")),
        (LabelledText("x", True, "a"), LabelledText("  ", False, "b")),
        (),
    ],
)
def test_a_set_that_says_nothing_is_refused(rows: tuple[LabelledText, ...]) -> None:
    with pytest.raises(DataError, match="cannot be used"):
        LabelledSet("bad", "s", rows, "CC0-1.0")


def test_the_digest_names_the_content() -> None:
    assert made().digest == made().digest
    assert made().digest != made(groups=7).digest
