"""Groups as they are shown: every number a text with its interval, every gap with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from mibench.core.specs import Track
from mibench.leaderboard import notes
from mibench.leaderboard.cells import MISSING, CellView, interval_title, span
from mibench.leaderboard.columns import COLUMNS, COSTS, LINEAR_COLUMNS, Column
from mibench.leaderboard.family_view import FamilyTable, family_table
from mibench.leaderboard.fidelity import Residuals, residuals
from mibench.leaderboard.kept import ranking_of
from mibench.leaderboard.memory import Memory
from mibench.leaderboard.ranking import Rank, at_floor, newest_version
from mibench.leaderboard.rows import Group, Row
from mibench.leaderboard.sites import brief, chosen_sites
from mibench.leaderboard.sparsity import L0
from mibench.leaderboard.text import count, number, plain
from mibench.records.record import CurvePoint

MAX_CURVES = 10
"""Curves in one picture: those of the best rows."""
_UNRANKED = Rank(None, why="Single dictionaries are not ranked, families are.")


@dataclass(frozen=True)
class HeadView:
    """Heading of a column: title, arrow towards better, what it is, floor, ceiling, and the smallest difference told.

    ``metric`` is the name in the records; empty where the column is none of theirs.
    """

    title: str
    arrow: str
    doc: str
    floor: str
    ceiling: str
    resolves: str = ""
    metric: str = ""


_CHOSEN = HeadView("Chosen site", "", "Layer, head and position that validation chose.", "", "")
_LEFT = HeadView(
    "After fidelity", "↑", "Disentangle less what dictionaries of this explained variance reach, by a line.", "", ""
)


@dataclass(frozen=True)
class RowView:
    """One row, with the ranks of its headline columns."""

    row: Row
    ranks: dict[str, Rank]
    rank: Rank
    notes: tuple[str, ...]
    cells: tuple[CellView, ...]
    costs: tuple[CellView, ...]
    at_floor: bool


@dataclass(frozen=True)
class Summary:
    """What all rows of a table are.

    Attributes:
        rows: How many there are.
        without_numbers: Those of failed and skipped cells among them.
        methods: Names of their methods, as the records have them.
        records: Ids of their cells.
        folders: Where these are.
    """

    rows: int
    without_numbers: int
    methods: tuple[str, ...]
    records: tuple[str, ...]
    folders: tuple[str, ...]

    @classmethod
    def of(cls, view: GroupView) -> Summary:
        """Take it from the rows."""
        entries = [entry for row in view.rows for entry in row.row.entries]
        return cls(
            rows=len(view.rows),
            without_numbers=sum(row.row.status != "ok" for row in view.rows),
            methods=tuple(sorted({row.row.records[0].cell.method.name for row in view.rows})),
            records=tuple(entry.record.cell.id for entry in entries),
            folders=tuple(sorted({str(entry.store.folder) for entry in entries})),
        )

    @classmethod
    def told(cls, told: Mapping[str, Any]) -> Summary:
        """Take it from JSON."""
        rows, without_numbers, *lists = (told[each.name] for each in fields(cls))
        return cls(rows, without_numbers, *map(tuple, lists))


@dataclass(frozen=True)
class GroupView:
    """One table, best row first, and rows without a rank last."""

    group: Group
    columns: tuple[Column, ...]
    heads: tuple[HeadView, ...]
    rows: tuple[RowView, ...]
    facts: tuple[str, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    families: FamilyTable | None = None
    resolutions: Mapping[str, float] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)

    @cached_property
    def summary(self) -> Summary:
        """What is asked of its rows most often."""
        return Summary.told(self.memory.recall_json("summary", lambda: asdict(Summary.of(self))))

    @property
    def curves(self) -> dict[str, dict[str, list[CurvePoint]]]:
        """Curves by ranking (`signed`, `absolute`), then by row label, best row first."""
        return {
            ranking: drawn
            for ranking in ("signed", "absolute")
            if (drawn := _drawn(self.rows, f"faithfulness_{ranking}"))
        }


def view(group: Group, kept: Path | None = None) -> GroupView:
    """Rank the rows of a group and put everything into words.

    Args:
        group: The group.
        kept: Folder of ranks that were made before; None: they are made anew.
    """
    columns, left = _columns(group), residuals(group) if group.track is Track.SAE else None
    headlines = [column for column in columns if column.headline and group.track is not Track.SAE]
    ranking = ranking_of(group.rows, headlines, kept)
    rows = [
        _row(row, columns, {column.metric: ranking.ranks[column.metric][row.id] for column in headlines}, left)
        for row in group.rows
    ]
    ranked = not notes.fails_audit(group.cell)
    return GroupView(
        group=group,
        columns=columns,
        heads=(*(_head(column, group.rows, ranking.resolutions) for column in columns), *_more_heads(group, left)),
        rows=tuple(sorted(rows, key=_by_l0 if group.track is Track.SAE else lambda row: _order(row, headlines))),
        facts=tuple(notes.facts(group)),
        notes=(*notes.notes(group), *([left.note] if left and left.note else [])),
        warnings=tuple(f"{group.title}: {warning}" for warning in ranking.warnings),
        families=family_table(group, columns, ranked=ranked) if group.track is Track.SAE else None,
        resolutions=ranking.resolutions,
    )


def _columns(group: Group) -> tuple[Column, ...]:
    """Return the track's columns that some row has; headlines always, but for dictionaries."""
    names = {name for row in group.rows for name in row.metrics}
    if group.track is Track.SAE:
        known = tuple(each for each in COLUMNS[group.track] if each.metric in names)
        of_task = [each for each in known if each.metric != L0]
        return known if of_task else known + _all_columns(names - {L0})
    offered = COLUMNS[group.track]
    if group.track is Track.VARIABLE:
        # Rows list every metric there, with the reason where the task does not have it.
        names = {name for row in group.rows for name, value in row.metrics.items() if value.value is not None}
        offered = LINEAR_COLUMNS if LINEAR_COLUMNS[0].metric in names else offered
    known = tuple(each for each in offered if each.headline or each.metric in names)
    return known or _all_columns(names)


def _all_columns(names: set[str]) -> tuple[Column, ...]:
    return tuple(Column(name, plain(name, 40)) for name in sorted(names))


def _row(row: Row, columns: Sequence[Column], ranks: dict[str, Rank], left: Residuals | None) -> RowView:
    headline = columns[0] if columns and columns[0].metric in ranks else None
    value = row.metrics.get(headline.metric) if headline else None
    sunk = bool(headline and value and at_floor(value, higher_is_better=headline.higher_is_better))
    return RowView(
        row=row,
        ranks=ranks,
        rank=ranks[headline.metric] if headline else _UNRANKED,
        notes=tuple(notes.row_notes(row)),
        cells=(*(_cell(row, column, ranks.get(column.metric)) for column in columns), *_more_cells(row, left)),
        costs=tuple(_cost(row.costs[column.name], index) for index, column in enumerate(COSTS)),
        at_floor=sunk,
    )


def _more_heads(group: Group, left: Residuals | None) -> tuple[HeadView, ...]:
    if left is not None:
        return (_LEFT,)
    return (_CHOSEN,) if group.track is Track.VARIABLE else ()


def _more_cells(row: Row, left: Residuals | None) -> tuple[CellView, ...]:
    if left is not None:
        value = left.by_row.get(row.id)
        if value is None or value.value is None:
            return (CellView(MISSING, row.reason or (value and value.reason) or "a score or its fidelity is missing"),)
        return (CellView(f"{value.value:+.3f}", interval_title(value), value=value.value),)
    if row.records[0].cell.track is not Track.VARIABLE:
        return ()
    names = chosen_sites(row)
    if not names:
        return (CellView(MISSING, row.reason or "its tables are not at hand"),)
    return (CellView(brief(names), plain(", ".join(dict.fromkeys(names)), 400), exact=True),)


def _by_l0(row: RowView) -> tuple[bool, str, float, str]:
    """Dictionaries by method, then L0; those without numbers last."""
    value = row.row.metrics.get(L0)
    l0 = 0.0 if value is None or value.value is None else value.value
    return row.row.status != "ok", row.row.method, l0, row.row.label


def _order(row: RowView, headlines: Sequence[Column]) -> tuple[bool, int, float, bool, str]:
    """Ranked rows by rank, then value; then rows with numbers, then those without."""
    position = row.rank.position
    value = row.row.metrics[headlines[0].metric].value if headlines and position else None
    signed = 0.0 if value is None else -value if headlines[0].higher_is_better else value
    return position is None, position or 0, signed, row.row.status != "ok", row.row.label


def _cell(row: Row, column: Column, rank: Rank | None) -> CellView:
    value = row.metrics.get(column.metric)
    if value is None:
        return CellView(MISSING, row.reason or f"{column.metric} was not measured")
    if value.value is None:
        return CellView(MISSING, plain(value.reason or "", 400))
    low, high = value.ci_low, value.ci_high
    interval = "" if low is None or high is None else span(low, high, column.digits)
    if column.exact:
        return CellView(count(value.value), plain(value.unit), exact=True, value=value.value)
    place = f"rank {rank}: {rank.why}" if rank else ""
    title = "; ".join(filter(None, (interval_title(value), place)))
    higher = column.higher_is_better if column.known else value.higher_is_better
    return CellView(
        number(value.value, column.digits),
        plain(title, 400),
        interval,
        str(rank) if rank else "",
        value=value.value,
        # Where even the best possible number is the floor, being there says nothing.
        sunk=value.floor != value.ceiling and at_floor(value, higher_is_better=higher),
    )


def _cost(amount: float | None, index: int) -> CellView:
    if amount is None:
        return CellView(MISSING, "not recorded")
    return CellView(COSTS[index].show(amount), COSTS[index].doc, value=amount)


def _head(column: Column, rows: Sequence[Row], resolutions: Mapping[str, float]) -> HeadView:
    version = newest_version(rows, column.metric)
    values = [row.metrics[column.metric] for row in rows if column.metric in row.metrics]
    values = [value for value in values if value.version == version]
    # SAEBench's names are in no registry; their records tell which way is better.
    higher = column.higher_is_better if column.known or not values else values[0].higher_is_better
    directed = higher is not None and not column.overshoots
    return HeadView(
        title=column.title,
        arrow="" if not directed else "↑" if higher else "↓",
        doc=plain(column.doc.replace("``", ""), 200),
        floor=_reference([value.floor for value in values], column.digits),
        ceiling=_reference([value.ceiling for value in values], column.digits),
        resolves=number(resolutions[column.metric], column.digits) if column.metric in resolutions else "",
        metric=column.metric,
    )


def _reference(values: Sequence[float | None], digits: int) -> str:
    shown = sorted({value for value in values if value is not None})
    if not shown:
        return MISSING
    ends = [number(value, digits) for value in (shown[0], shown[-1])]
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def _drawn(rows: Sequence[RowView], name: str) -> dict[str, list[CurvePoint]]:
    curves = {row.row.label: row.row.curves.get(name, []) for row in rows}
    return {label: points for label, points in curves.items() if any(p.value is not None for p in points)}
