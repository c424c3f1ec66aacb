"""How far ranks are sure: at which places rows come when all numbers of a column are drawn again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mibench.leaderboard.ranking import Rank
from mibench.leaderboard.view import GroupView

_LEVELS = 10
_RAREST = 0.005
"""Share of draws below which a place is not drawn."""
_TAIL = 0.025
_FEWEST = 2


@dataclass(frozen=True)
class Strip:
    """One row.

    Attributes:
        name: Its label.
        rank: Its rank as the table has it.
        place: Where it stands by the numbers as they are.
        cells: Runs of equal shade: first place, how many, and the shade from 1 to 10.
        reach: The central 95 % of its places, in words.
        best: How often it comes first, alone or with others, in words.
        drawn_from: What its number is drawn from.
    """

    name: str
    rank: str
    place: int
    cells: tuple[tuple[int, int, int], ...]
    reach: str
    best: str
    drawn_from: str


@dataclass(frozen=True)
class Stability:
    """The rows of one column.

    Attributes:
        title: Of the column.
        strips: The rows, best first.
        places: The last place that is drawn.
        ticks: Places that are named.
        draws: How often all numbers were drawn.
        sources: What numbers were drawn from.
        more: Further rows that are ranked.
    """

    title: str
    strips: tuple[Strip, ...]
    places: int
    ticks: tuple[int, ...]
    draws: int
    sources: tuple[str, ...]
    more: int


def stability(view: GroupView) -> Stability | None:
    """Return how ranks by the first column of a table move; None where nothing is known to move."""
    if view.families:
        titles = [column.title for column in view.families.columns]
        return stable(titles[0], [(row.family.label, row.rank) for row in view.families.rows])
    return stable(view.heads[0].title, [(row.row.label, row.rank) for row in view.rows]) if view.heads else None


def stable(title: str, ranks: Sequence[tuple[str, Rank]]) -> Stability | None:
    """Return how ranks move.

    Args:
        title: Of the column.
        ranks: Labels and ranks, best first.
    """
    drawn = [(label, rank) for label, rank in ranks if rank.places and rank.stands is not None]
    if len(drawn) < _FEWEST:
        return None
    strips = tuple(_strip(label, rank) for label, rank in drawn)
    last = max(place + width - 1 for strip in strips for place, width, _ in strip.cells)
    last = max(last, *(strip.place for strip in strips))
    return Stability(
        title=title,
        strips=strips,
        places=last,
        ticks=_ticks(last),
        draws=sum(drawn[0][1].places[1:]),
        sources=tuple(dict.fromkeys(rank.drawn_from for _, rank in drawn)),
        more=sum(rank.position is not None for _, rank in ranks) - len(drawn),
    )


def _strip(label: str, rank: Rank) -> Strip:
    first, counts = rank.places[0], rank.places[1:]
    shares = [number / sum(counts) for number in counts]
    low, high = first + _quantile(shares, _TAIL), first + _quantile(shares, 1 - _TAIL)
    best = shares[0] if first == 1 else 0.0
    return Strip(
        name=label,
        rank=str(rank),
        place=rank.stands or 1,
        cells=_runs(first, shares),
        reach=str(low) if low == high else f"{low}–{high}",
        best="<1 %" if 0 < best < 2 * _RAREST else ">99 %" if 1 - 2 * _RAREST < best < 1 else f"{100 * best:.0f} %",
        drawn_from=rank.drawn_from,
    )


def _quantile(shares: Sequence[float], level: float) -> int:
    total = 0.0
    for index, share in enumerate(shares):
        total += share
        if total >= level - 1e-12:
            return index
    return len(shares) - 1


def _runs(first: int, shares: Sequence[float]) -> tuple[tuple[int, int, int], ...]:
    """Neighbouring places of one shade together."""
    found: list[tuple[int, int, int]] = []
    for place, share in enumerate(shares, start=first):
        shade = math.ceil(share * _LEVELS - 1e-9) if share >= _RAREST else 0
        if found and found[-1][2] == shade:
            found[-1] = (found[-1][0], found[-1][1] + 1, shade)
        else:
            found.append((place, 1, shade))
    return tuple(one for one in found if one[2])


def _ticks(last: int) -> tuple[int, ...]:
    step = next(
        step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, last) if last / step <= _LEVELS or step == last
    )
    return tuple(sorted({1, *range(step, last + 1, step)}))
