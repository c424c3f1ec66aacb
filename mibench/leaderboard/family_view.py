"""The table of families above the single dictionaries: frontier areas, their windows, and who is ahead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mibench.leaderboard.cells import MISSING, CellView, interval_title, span
from mibench.leaderboard.columns import Column
from mibench.leaderboard.families import Family, Standing, families, standing
from mibench.leaderboard.ranking import Rank
from mibench.leaderboard.rows import Group
from mibench.leaderboard.text import number, plain
from mibench.metrics.sae.family import FamilyArea

READING_FAMILIES = (
    "A *family* is dictionaries that differ in sparsity and seed only. Its number is the mean of a metric over log L0, "
    "L0 from 20 to 200 or what the family covers of it, between its dictionaries and never beyond them; there is none "
    "for fewer than three sparsities, or under an octave. Ranks go by the area over the window that the ranked "
    "families all cover. *Single dictionaries* stand below with their L0, and are not ranked. Controls that learn no "
    "dictionary (random or frozen decoder, principal components, mean, identity) are shown, not ranked."
)


@dataclass(frozen=True)
class FamilyRow:
    """One family.

    Attributes:
        family: The family.
        rank: By the first column.
        ranks: By column, in their order.
        facts: Number of dictionaries, seeds, range of L0, window that is covered.
        cells: Areas, in the order of the columns.
    """

    family: Family
    rank: Rank
    ranks: tuple[Rank, ...]
    facts: tuple[str, ...]
    cells: tuple[CellView, ...]


_NEARLY_ALL = 0.75
"""Share of the families of a table."""
FACTS = ("Dictionaries", "Seeds", "L0", "Window")


@dataclass(frozen=True)
class FamilyTable:
    """Families of a group, best first.

    Attributes:
        columns: Metrics whose areas are shown.
        arrows: Which way each is better.
        rows: The families.
        areas: Of each row, in the order of the columns.
        window: In words, what ranks go by, and which metrics tell nearly no families apart.
    """

    columns: tuple[Column, ...]
    arrows: tuple[str, ...]
    rows: tuple[FamilyRow, ...]
    areas: tuple[tuple[FamilyArea, ...], ...]
    window: str


def family_table(group: Group, columns: Sequence[Column], *, ranked: bool) -> FamilyTable | None:
    """Return the families of a group; None where no metric is shown as an area.

    Args:
        group: A group of the SAE track.
        columns: Columns of its dictionaries.
        ranked: Whether families are ranked.
    """
    shown = tuple(column for column in columns if column.headline)
    members = families(group)
    if not shown or not members:
        return None
    standings = [standing(members, column.metric, ranked=ranked) for column in shown]
    rows = [_row(members, index, shown, standings) for index in range(len(members))]
    order = sorted(range(len(rows)), key=lambda index: _order(rows[index]))
    return FamilyTable(
        columns=shown,
        arrows=tuple(_arrow(one) for one in standings),
        rows=tuple(rows[index] for index in order),
        areas=tuple(tuple(one.areas[index] for one in standings) for index in order),
        window=" ".join([_window(standings[0], members), *_flat(shown, standings)]),
    )


def _row(members: Sequence[Family], index: int, columns: Sequence[Column], standings: Sequence[Standing]) -> FamilyRow:
    family, ranks = members[index], tuple(one.ranks[index] for one in standings)
    areas = [one.areas[index] for one in standings]
    cells = [_cell(*each) for each in zip(columns, areas, ranks, strict=True)]
    return FamilyRow(family, ranks[0], ranks, _facts(family, areas), tuple(cells))


def _facts(family: Family, areas: Sequence[FamilyArea]) -> tuple[str, ...]:
    l0, windows = family.l0, {area.window for area in areas if area.window is not None}
    seeds = str(len(family.seeds)) if family.seeds else MISSING
    reach = MISSING if l0 is None else f"{number(l0[0], 1)}–{number(l0[1], 1)}"
    window = str(windows.pop()) if len(windows) == 1 else MISSING if not windows else "several"
    return str(len(family.records)), seeds, reach, window


def _cell(column: Column, area: FamilyArea, rank: Rank) -> CellView:
    value = area.metric
    if value.value is None:
        return CellView(MISSING, plain(value.reason or "", 400))
    low, high = value.ci_low, value.ci_high
    interval = "" if low is None or high is None else span(low, high, column.digits)
    place = f"rank {rank}: {rank.why}" if rank.position else f"unranked: {rank.why}"
    title = f"mean over log L0 in {area.window}, {area.sparsities} sparsities; {interval_title(value)}; {place}"
    return CellView(number(value.value, column.digits), plain(title, 400), interval, str(rank) if rank.position else "")


def _window(first: Standing, members: Sequence[Family]) -> str:
    ranked = sum(rank.position is not None for rank in first.ranks)
    if first.window is None or not ranked:
        return "No family is ranked."
    return f"Ranks go by the area over L0 {first.window}, which {ranked} of {len(members)} families cover."


def _flat(columns: Sequence[Column], standings: Sequence[Standing]) -> Iterator[str]:
    """Say which metrics are the same number, and without spread, for nearly all families."""
    for column, one in zip(columns, standings, strict=True):
        known = [area.metric for area in one.areas if area.metric.value is not None]
        sure = Counter(each.value for each in known if each.ci_low == each.value == each.ci_high)
        for value, same in sure.most_common(1):
            if same > 2 and same >= _NEARLY_ALL * len(known):
                shown = number(value or 0.0, column.digits)
                told = f"{column.title} is {shown} for {same} of {len(known)} families, each without any spread"
                yield f"{told}: it tells nothing apart between them."


def _arrow(one: Standing) -> str:
    found = {area.metric.higher_is_better for area in one.areas if area.metric.value is not None} - {None}
    return "" if len(found) != 1 else "↑" if found.pop() else "↓"


def _order(row: FamilyRow) -> tuple[bool, int, int, str]:
    """Ranked families by rank, then by the area that ranks go by; then the others."""
    return row.rank.position is None, row.rank.position or 0, row.rank.order or 0, row.family.label
