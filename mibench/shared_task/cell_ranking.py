"""One cell of a board: what each entry has in it, and how they rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mibench.core.specs import Track
from mibench.intake.round import Round
from mibench.leaderboard.columns import Column
from mibench.leaderboard.contest import Contest
from mibench.leaderboard.ranking import Rank, Ranker, at_floor, contender, contested, unranked_reason
from mibench.leaderboard.rows import Entry as Stored
from mibench.leaderboard.rows import Row
from mibench.records.record import MetricValue
from mibench.shared_task.cells import RoundCell, part_of

if TYPE_CHECKING:
    from mibench.shared_task.standings import Contender


@dataclass(frozen=True)
class CellResult:
    """What an entry has in a cell.

    Attributes:
        rank: Its rank there, and how it compares; without a position, why.
        value: The headline's number; None: there is none.
        above_floor: Whether it is separable from the floor; None: there is no number or no floor.
    """

    rank: Rank
    value: MetricValue | None = None
    above_floor: bool | None = None


class _EntryRow(Row):
    """A row of one entry; those of two entries that hand in the same file are two rows."""

    @property
    def id(self) -> str:
        """The entry and what the row's cells share."""
        return f"{self.label} {super().id}"


@dataclass(frozen=True)
class Offer:
    """What an entry has in a cell: records as one row, and why it cannot be ranked with them; empty: it can."""

    row: Row | None
    gap: str


@dataclass(frozen=True)
class CellRanking:
    """Ranks the entries of one cell after the other by one metric."""

    rules: Round
    column: Column
    version: int

    def offer(self, cell: RoundCell, entry: Contender) -> Offer:
        """What an entry has in a cell."""
        row = self._row(cell, entry) if entry.status == "scored" else entry.reason or "scoring failed"
        if isinstance(row, str):
            return Offer(None, row)
        return Offer(row, unranked_reason(row, self.column.metric, self.version) or "")

    def results(
        self, cell: RoundCell, offers: Mapping[int, Offer], why_not: Mapping[int, str]
    ) -> dict[int, CellResult]:
        """What each entry has in a cell, by the entry's number; those of ``why_not`` are not ranked."""
        rows = {number: one.row for number, one in offers.items() if one.row is not None}
        ranked = {number: row for number, row in rows.items() if not (offers[number].gap or why_not[number])}
        ranks = self._ranks(cell.track, list(ranked.values()))
        found = {number: Rank(None, why=one.gap or why_not[number]) for number, one in offers.items()}
        found |= {number: ranks[row.id] for number, row in ranked.items()}
        return {number: self._result(rows.get(number, ""), rank) for number, rank in found.items()}

    def alone(self, cell: RoundCell, entry: Contender, why: str) -> CellResult:
        """What an entry has in a cell that it is not ranked in; of a withdrawn one no number is shown."""
        row = "withdrawn" if entry.status == "withdrawn" else self._row(cell, entry)
        return self._result(row, Rank(None, why=why))

    def _row(self, cell: RoundCell, entry: Contender) -> Row | str:
        """The entry's records in a cell as one row, or why there is none."""
        own = [one for one in entry.records if cell.takes(one.record.cell, self.rules.models)]
        promised = entry.n_promised(cell)
        if len(own) < promised:
            return f"{promised - len(own)} of {promised} artifacts for it could not be scored"
        if not own:
            return "nothing was handed in for it"
        for one in own:
            why = self._foreign(cell, one)
            if why:
                return why
        seeds = {one.record.cell.method.seed for one in own}
        if len(own) > 1 and (
            None in seeds or len(seeds) < len(own) or len({part_of(one.record.cell) for one in own}) > 1
        ):
            return f"{len(own)} artifacts are for it; one is ranked, or one of each seed"
        return _EntryRow(tuple(sorted(own, key=_by_seed)), entry.label)

    def _foreign(self, cell: RoundCell, stored: Stored) -> str:
        """Why a record is not of what the round fixed; empty if it is."""
        own = stored.record.cell
        if own.task.version != self.rules.tasks.get(cell.task):
            return f"scored with version {own.task.version} of the task"
        if cell.model and own.model.digest != self.rules.models.get(cell.model) and stored.record.status == "ok":
            return "scored with another model than the round's"
        return ""

    def _ranks(self, track: Track, rows: Sequence[Row]) -> dict[str, Rank]:
        if track is not Track.SAE:
            return Ranker().rank(rows, self.column)
        metric, sign = self.column.metric, -1 if self.column.higher_is_better else 1
        ordered = sorted(rows, key=lambda row: (sign * (row.metrics[metric].value or 0.0), row.label))
        contest = Contest([contender(row.label, row.metrics[metric], "dictionaries are not paired") for row in ordered])
        return dict(zip((row.id for row in ordered), contested(contest), strict=True))

    def _result(self, row: Row | str, rank: Rank) -> CellResult:
        value = None if isinstance(row, str) else row.metrics.get(self.column.metric)
        if value is None or value.value is None:
            return CellResult(rank)
        better = self.column.higher_is_better
        above = None if value.floor is None else not at_floor(value, higher_is_better=better)
        return CellResult(rank, value, above)


def _by_seed(one: Stored) -> tuple[int, str]:
    return one.record.cell.method.seed or 0, one.record.cell.id
