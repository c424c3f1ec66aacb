"""Ranks with ties: a row shares the rank of the leader that it is not separable from.

Rows are taken best first. The first leads a tie group; each further row is compared with the leader: if the
95 % interval of their difference contains 0, or there is none, it shares the leader's rank and letter, else
it leads the next group and its rank is one more than the number of rows before it. Being tied is not
transitive: the last row of one group may well be tied with the first of the next. The interval is that of a
paired bootstrap over examples; a mean over seeds, and a row without usable tables, is compared by the rows'
own intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mibench.core.errors import DataError, StoreError
from mibench.core.specs import Track
from mibench.leaderboard.columns import Column
from mibench.leaderboard.rows import Entry, Row
from mibench.metrics.circuit import MetricDifference, compare_circuits
from mibench.metrics.long_tables import contradiction
from mibench.metrics.per_example import CircuitTables
from mibench.metrics.variable.scores import compare_variables
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import MetricValue, RunRecord
from mibench.records.store import Store

Tables = CircuitTables | VariableTables
Ranked = TypeVar("Ranked")

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Rank:
    """Place of a row.

    Attributes:
        position: From 1; None: unranked.
        group: Letter that rows of one tie group share.
        why: Why it is unranked, or how it compares with the leader of its group or of the one before.
    """

    position: int | None
    group: str = ""
    why: str = ""

    def __str__(self) -> str:
        return "–" if self.position is None else f"{self.position}{self.group}"


@dataclass(frozen=True)
class Comparison:
    """Whether two rows tie, and how that was decided."""

    tied: bool
    how: str


def placed(ranked: Sequence[Ranked], compare: Callable[[Ranked, Ranked], Comparison]) -> list[Rank]:
    """Return the ranks of rows that are given best first.

    Args:
        ranked: The rows.
        compare: Holds a row against the leader of the group before it, which comes first.
    """
    places: list[Rank] = []
    leader: Ranked | None = None
    n_groups, position = 0, 0
    for index, row in enumerate(ranked):
        compared = Comparison(tied=False, how="best value") if leader is None else compare(leader, row)
        if not compared.tied:
            leader, position, n_groups = row, index + 1, n_groups + 1
        places.append(Rank(position, letters(n_groups), compared.how))
    return places


class Ranker:
    """Ranks the rows of a group; differences are computed once a pair.

    Attributes:
        warnings: What kept rows from being compared on the same examples.
    """

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self._tables: dict[str, Tables | str] = {}
        self._differences: dict[tuple[str, str], dict[str, MetricDifference] | str] = {}

    def rank(self, rows: Sequence[Row], column: Column) -> dict[str, Rank]:
        """Return the rank of every row by its id."""
        higher = column.higher_is_better
        version = newest_version(rows, column.metric)
        excluded = {row.id: unranked_reason(row, column.metric, version) for row in rows}
        if higher is None:
            return {row.id: Rank(None, why=f"{column.title} has no better end.") for row in rows}
        ranked = sorted(
            (row for row in rows if excluded[row.id] is None),
            key=lambda row: (
                -_value(row, column.metric) if higher else _value(row, column.metric),
                row.label,
            ),
        )
        ranks = placed(ranked, lambda leader, row: self._compare(leader, row, column.metric))
        places = dict(zip((row.id for row in ranked), ranks, strict=True))
        return {row.id: places.get(row.id) or Rank(None, why=excluded[row.id] or "") for row in rows}

    def _compare(self, leader: Row, row: Row, metric: str) -> Comparison:
        paired = self._paired(leader, row, metric)
        if isinstance(paired, MetricDifference):
            low, high = paired.ci_low or 0.0, paired.ci_high or 0.0
            return _described(leader.label, low, high, "paired bootstrap over examples")
        first, second = leader.metrics[metric], row.metrics[metric]
        return unpaired(leader.label, first, second, paired)

    def _paired(self, first: Row, second: Row, metric: str) -> MetricDifference | str:
        """Return the difference on the same examples, or why there is none."""
        if len(first.entries) > 1 or len(second.entries) > 1:
            return "seeds vary"
        pair = (first.id, second.id)
        if pair not in self._differences:
            self._differences[pair] = self._differ(first.entries[0], second.entries[0])
        differences = self._differences[pair]
        if isinstance(differences, str):
            return differences
        found = differences.get(metric)
        if found is None or found.difference is None or found.ci_low is None:
            return (found.reason if found else None) or f"{metric} has no paired difference"
        recorded = _value(first, metric) - _value(second, metric)
        if not math.isclose(found.difference, recorded, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            return "the per-example tables do not give the recorded numbers"
        return found

    def _differ(self, first: Entry, second: Entry) -> dict[str, MetricDifference] | str:
        sides = []
        for entry in (first, second):
            tables = self._load(entry)
            if isinstance(tables, str):
                return tables
            sides.append(tables)
        try:
            return _compared(sides[0], sides[1])
        except DataError as error:
            return error.why

    def _load(self, entry: Entry) -> Tables | str:
        cell_id = entry.record.cell.id
        if cell_id not in self._tables:
            try:
                self._tables[cell_id] = _stored(entry.record, entry.store)
            except (DataError, StoreError) as error:
                self._tables[cell_id] = f"{error.what} {error.why}"
                self.warnings.append(f"{entry.record.cell.method.name}: {error.what} {error.why}")
        return self._tables[cell_id]


def _stored(record: RunRecord, store: Store) -> Tables:
    of_track = VariableTables if record.cell.track is Track.VARIABLE else CircuitTables
    return of_track.stored(record, store)


def _compared(first: Tables, second: Tables) -> dict[str, MetricDifference]:
    if isinstance(first, VariableTables) and isinstance(second, VariableTables):
        return compare_variables(first, second)
    if isinstance(first, CircuitTables) and isinstance(second, CircuitTables):
        return compare_circuits(first, second)
    raise contradiction("one record is of another track than the other")


def newest_version(rows: Sequence[Row], metric: str) -> int | None:
    """Return the newest version of ``metric`` among the rows; the others are not ranked against it."""
    versions = [row.metrics[metric].version for row in rows if metric in row.metrics]
    return max(versions, default=None)


def unranked_reason(row: Row, metric: str, version: int | None) -> str | None:
    """Return why the row has no rank by ``metric``, or None if it has one."""
    if row.status != "ok":
        return f"{row.status}: {row.reason}"
    if row.board is not None:
        return f"on the {row.board} board: shown, not ranked"
    value = row.metrics.get(metric)
    if value is None:
        return f"{metric} was not measured"
    if value.value is None:
        return value.reason
    if value.version != version:
        return f"has version {value.version} of {metric}, ranked is version {version}; rescore it"
    return None


def at_floor(value: MetricValue, *, higher_is_better: bool | None) -> bool:
    """Tell whether a number is not separable from its floor, or worse than it."""
    if value.value is None or value.floor is None or higher_is_better is None:
        return False
    if higher_is_better:
        return (value.value if value.ci_low is None else value.ci_low) <= value.floor
    return (value.value if value.ci_high is None else value.ci_high) >= value.floor


def letters(index: int) -> str:
    """Return a, b, … z, aa, ab, … for 1, 2 and so on."""
    name = ""
    while index > 0:
        index, rest = divmod(index - 1, 26)
        name = chr(ord("a") + rest) + name
    return name


def _value(row: Row, metric: str) -> float:
    value = row.metrics[metric].value
    return math.nan if value is None else value


def unpaired(leader: str, first: MetricValue, second: MetricValue, why: str) -> Comparison:
    """Compare by the rows' own intervals, as if they were independent.

    Args:
        leader: Label of the row of ``first``.
        first: Number of the leader.
        second: Number of the row that is compared with it.
        why: Why there is nothing better to compare by.
    """
    halves = [
        (value.ci_high - value.ci_low) / 2
        for value in (first, second)
        if value.ci_low is not None and value.ci_high is not None
    ]
    if len(halves) < 2 or first.value is None or second.value is None:
        return Comparison(tied=True, how=f"not separable from {leader}: no interval ({why})")
    difference, half = first.value - second.value, math.hypot(*halves)
    return _described(leader, difference - half, difference + half, f"unpaired: {why}")


def _described(leader: str, low: float, high: float, how: str) -> Comparison:
    tied = low <= 0 <= high
    verb = "tied with" if tied else "behind"
    return Comparison(tied, f"{verb} {leader}, difference [{low:.3g}, {high:.3g}], {how}")
