"""Places of rows when all numbers are drawn again: known answers, and a naive count."""

from __future__ import annotations

import numpy as np
import pytest

from mibench.leaderboard.contest import Contender, Contest
from mibench.leaderboard.ranking import MOST_PAIRED, MOST_SPREADS, contested, in_detail
from mibench.metrics.replicates import Replicates


def paired(values: list[float], replicates: np.ndarray) -> Contest:
    """Rows on the same examples, best first. ``replicates``: ``[B, rows]``."""
    usable = np.ones(len(replicates), dtype=np.bool_)
    rows = [
        Contender(f"row-{index}", value, 0.1, Replicates.of(value, replicates[:, index], usable, tuple(range(30))))
        for index, value in enumerate(values)
    ]
    return Contest(rows)


def unpaired(values: list[float], half: float | None) -> Contest:
    return Contest([Contender(f"row-{index}", value, half, "seeds vary") for index, value in enumerate(values)])


def naive(values: list[float], replicates: np.ndarray, index: int, *, higher: bool) -> list[int]:
    """The place of one row in each draw, counted one by one."""
    places = []
    for draw in replicates:
        moved = [value + own - mean for value, own, mean in zip(values, draw, replicates.mean(axis=0), strict=True)]
        places.append(1 + sum((one > moved[index]) if higher else (one < moved[index]) for one in moved))
    return places


@pytest.mark.parametrize("higher", [True, False])
def test_places_are_those_of_a_naive_count(higher: bool) -> None:
    rng = np.random.default_rng(3)
    values = sorted(rng.normal(size=6).tolist(), reverse=higher)
    replicates = np.array(values) + rng.normal(size=(200, 6))
    for index, one in enumerate(paired(values, replicates).spreads(6, higher_is_better=higher)):
        places = naive(values, replicates, index, higher=higher)
        assert one.first == min(places)
        assert one.counts == np.bincount(places)[one.first :].tolist()
        assert (one.own, one.by) == (index + 1, "the examples, all rows at once")


def test_rows_far_apart_keep_their_place_and_what_moves_together_never_swaps() -> None:
    shared = np.random.default_rng(0).normal(size=(500, 1)) * 10
    together = paired([0.3, 0.2, 0.1], np.array([0.3, 0.2, 0.1]) + shared)
    assert [(one.first, one.counts) for one in together.spreads(3, higher_is_better=True)] == [
        (1, [500]), (2, [500]), (3, [500])
    ]  # fmt: skip
    far = unpaired([5.0, 3.0, 1.0], 0.01).spreads(3, higher_is_better=True)
    assert [one.first for one in far] == [1, 2, 3]
    assert {len(one.counts) for one in far} == {1}


def test_equal_rows_come_at_every_place_alike_and_equal_numbers_share_the_first() -> None:
    for one in unpaired([1.0] * 4, 0.5).spreads(4, higher_is_better=True):
        assert (one.first, one.own) == (1, 1)
        assert np.allclose(np.array(one.counts) / sum(one.counts), 0.25, atol=0.04)
    still = unpaired([0.0, 0.0, 0.2], 0.0).spreads(3, higher_is_better=False)
    assert [(one.first, one.own, len(one.counts)) for one in still] == [(1, 1, 1), (1, 1, 1), (3, 3, 1)]


def test_a_row_is_drawn_alike_whoever_else_is_there_and_every_time() -> None:
    first = unpaired([2.0, 1.9], 0.3)
    assert first.spreads(2, higher_is_better=True) == unpaired([2.0, 1.9], 0.3).spreads(2, higher_is_better=True)
    more = Contest([*first.contenders, Contender("far", -50.0, 0.1, "seeds vary")])
    assert more.spreads(2, higher_is_better=True) == first.spreads(2, higher_is_better=True)


def test_nothing_is_said_where_nothing_is_known_to_move() -> None:
    assert unpaired([2.0, 1.0], None).spreads(2, higher_is_better=True) == []
    one = Contest([Contender("a", 1.0, 0.1, "seeds vary"), Contender("b", 0.0, None, "seeds vary")])
    assert one.spreads(2, higher_is_better=True) == []
    assert Contest([]).spreads(2, higher_is_better=True) == []


def test_ranks_list_the_verdicts_of_all_pairs_of_the_first_rows() -> None:
    rng = np.random.default_rng(1)
    values = np.linspace(1, 0, 60).tolist()
    contest = paired(values, np.array(values) + 0.05 * rng.normal(size=(300, 60)))
    found = in_detail(contested(contest), contest, higher_is_better=True)
    assert [rank.order for rank in found] == [*range(MOST_PAIRED), *[None] * 10]
    assert [bool(rank.places) for rank in found] == [index < MOST_SPREADS for index in range(60)]
    for index, rank in enumerate(found[:MOST_PAIRED]):
        verdicts = [contest.judge(index, other) for other in range(index + 1, MOST_PAIRED)]
        assert rank.pairs == [[one.half, one.tied, one.how] for one in verdicts]
    assert {len(rank.pairs) for rank in found[MOST_PAIRED:]} == {0}
