"""Ranks with ties: a row shares the rank of the leader that it is not separable from.

Rows are taken best first. The first leads a tie group; each further row is compared with the leader: if they are not
separable (see :mod:`mibench.leaderboard.contest`), it shares the leader's rank and letter, else it leads the next group
and its rank is one more than the number of rows before it. Being tied is not transitive: the last row of one group may
well be tied with the first of the next. A mean over seeds, and a row without usable tables, is compared by the rows'
own intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from mibench.core.errors import DataError, StoreError
from mibench.core.specs import Track
from mibench.leaderboard.columns import Column
from mibench.leaderboard.contest import Contender, Contest
from mibench.leaderboard.rows import Entry, Row
from mibench.metrics.circuit import circuit_replicates
from mibench.metrics.per_example import CircuitTables
from mibench.metrics.replicates import Replicates
from mibench.metrics.variable.scores import variable_replicates
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import MetricValue, RunRecord
from mibench.records.store import Store

Tables = CircuitTables | VariableTables
Ranked = TypeVar("Ranked")

_ROUNDING = 1e-6
MOST_SPREADS, MOST_PAIRED = 24, 50
"""Rows, of those at the front of a table, whose places are drawn again, and whose pairs are listed."""


@dataclass(frozen=True)
class Rank:
    """Place of a row.

    Attributes:
        position: From 1; None: unranked.
        group: Letter that rows of one tie group share.
        why: Why it is unranked, or how it compares with the leader of its group or of the one before.
        places: Best place when all numbers are drawn again, then the number of draws at that place, the next, and so
            on; empty: not known.
        stands: Its place by the numbers as they are; None: it is not drawn again.
        drawn_from: What its own number is drawn from.
        order: From 0, among all that are ranked, best first; None: pairs are not listed.
        pairs: Of each row that comes later in that order: the bound that the difference is held against (None: there is
            none), whether they tie, and what that rests on.
    """

    position: int | None
    group: str = ""
    why: str = ""
    places: Sequence[int] = field(default_factory=list)
    stands: int | None = None
    drawn_from: str = ""
    order: int | None = None
    pairs: Sequence[Sequence[Any]] = field(default_factory=list)

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
    """Ranks the rows of a group.

    Args:
        metrics: Those that rows will be ranked by, as far as they are known: each row's tables are read once for all.

    Attributes:
        warnings: What kept rows from being compared on the same examples.
        resolutions: By metric, the smallest difference that tells two rows apart (median over pairs of rows).
    """

    def __init__(self, metrics: Iterable[str] = ()) -> None:
        self.warnings: list[str] = []
        self.resolutions: dict[str, float] = {}
        self._metrics = frozenset(metrics)
        self._measured: dict[str, dict[str, Replicates | str]] = {}

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
        contest = Contest([self._contender(row, column.metric) for row in ranked])
        found = in_detail(contested(contest), contest, higher_is_better=higher)
        places = dict(zip((row.id for row in ranked), found, strict=True))
        if contest.resolution is not None:
            self.resolutions[column.metric] = contest.resolution
        return {row.id: places.get(row.id) or Rank(None, why=excluded[row.id] or "") for row in rows}

    def _contender(self, row: Row, metric: str) -> Contender:
        return contender(row.label, row.metrics[metric], self._replicates(row, metric))

    def _replicates(self, row: Row, metric: str) -> Replicates | str:
        """How a row's number varies with its examples, or why that is not known."""
        if len(row.entries) > 1:
            return "seeds vary"
        if row.entries[0].record.cell.track is Track.SAE:
            return "dictionaries are not paired"
        found = self._of_entry(row.entries[0], metric)
        if isinstance(found, str):
            return found
        if not math.isclose(found.value, _value(row, metric), rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            return "the per-example tables do not give the recorded numbers"
        return found

    def _of_entry(self, entry: Entry, metric: str) -> Replicates | str:
        known = self._measured.setdefault(entry.record.cell.id, {})
        if metric not in known:
            names = self._metrics - known.keys() | {metric}
            known |= self._read(entry, names)
        return known[metric]

    def _read(self, entry: Entry, names: frozenset[str]) -> dict[str, Replicates | str]:
        """Replicates of an entry from its tables, or why there are none."""
        try:
            tables = _stored(entry.record, entry.store)
        except (DataError, StoreError) as error:
            self.warnings.append(f"{entry.record.cell.method.name}: {error.what} {error.why}")
            return dict.fromkeys(names, f"{error.what} {error.why}")
        try:
            found = _measured(tables, names)
        except DataError as error:
            return dict.fromkeys(names, error.why)
        return {name: found.get(name, f"{name} has no value for each example") for name in names}


def contender(label: str, value: MetricValue, replicates: Replicates | str) -> Contender:
    """A number as it enters a contest."""
    known = value.ci_low is not None and value.ci_high is not None
    half = (value.ci_high - value.ci_low) / 2 if known else None  # type: ignore[operator]
    return Contender(label, math.nan if value.value is None else value.value, half, replicates)


def contested(contest: Contest) -> list[Rank]:
    """Return the ranks of contenders that stand best first."""
    order = range(len(contest.contenders))
    return placed(order, lambda leader, index: _compared(contest, leader, index))


def in_detail(ranks: Sequence[Rank], contest: Contest, *, higher_is_better: bool) -> list[Rank]:
    """Return the ranks of a contest with how far they are sure, and with all pairs of the first rows."""
    spreads = contest.spreads(MOST_SPREADS, higher_is_better=higher_is_better)
    listed = range(min(len(ranks), MOST_PAIRED))
    found = []
    for index, rank in enumerate(ranks):
        more: dict[str, Any] = {}
        if index < len(spreads):
            one = spreads[index]
            more |= {"places": [one.first, *one.counts], "stands": one.own, "drawn_from": one.by}
        if index in listed:
            verdicts = [contest.judge(index, other) for other in listed[index + 1 :]]
            more |= {"order": index, "pairs": [[each.half, each.tied, each.how] for each in verdicts]}
        found.append(replace(rank, **more))
    return found


def _compared(contest: Contest, leader: int, index: int) -> Comparison:
    verdict = contest.judge(leader, index)
    first, second = contest.contenders[leader], contest.contenders[index]
    if verdict.half is None:
        return Comparison(tied=True, how=f"not separable from {first.label}: {verdict.how}")
    difference = first.value - second.value
    span = f"[{difference - verdict.half:.3g}, {difference + verdict.half:.3g}]"
    verb = "tied with" if verdict.tied else "behind"
    return Comparison(verdict.tied, f"{verb} {first.label}, difference {span}, {verdict.how}")


def _stored(record: RunRecord, store: Store) -> Tables:
    of_track = VariableTables if record.cell.track is Track.VARIABLE else CircuitTables
    return of_track.stored(record, store)


def _measured(tables: Tables, names: frozenset[str]) -> dict[str, Replicates | str]:
    if isinstance(tables, VariableTables):
        return variable_replicates(tables, names)
    return circuit_replicates(tables, names)


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
