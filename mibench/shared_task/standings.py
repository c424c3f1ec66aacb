"""Records of entries in, standings out: ranks in every cell, and places by the mean of the ranks.

Every cell ranks the entries that have it by the headline metric; entries that cannot be told apart share a rank, as
in the leaderboard. An entry that lacks a cell of a board, or has no number there, is shown and not ranked. Methods
that were handed in as code have boards of their own; those whose artifacts were made twice alike are ranked with
artifacts too. Of a version and the one that takes its place, the later is
ranked. The same records always give the same standings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mibench.core.specs import Track
from mibench.intake.round import Board, Round, SplitName
from mibench.leaderboard.columns import Column
from mibench.leaderboard.contest import Contest
from mibench.leaderboard.ranking import Rank, Ranker, at_floor, contender, contested, unranked_reason
from mibench.leaderboard.rows import Entry as Stored
from mibench.leaderboard.rows import Row
from mibench.records.record import MetricValue
from mibench.shared_task.cells import RoundCell, cells_of, headline_column, part_of

Kind = Literal["artifact", "code"]
Status = Literal["scored", "failed", "withdrawn"]
KINDS: tuple[Kind, ...] = ("artifact", "code")


@dataclass(frozen=True)
class Contender:
    """An entry, as standings see it.

    Attributes:
        id: Number in the order of arrival.
        team, method, version: Its names.
        supersedes: Number of the entry that it takes the place of.
        tracks: Tracks of its artifacts.
        status: Whether it was scored on this split.
        reason: Why it was not, in words that anyone may read.
        records: What scoring it gave.
        made: Of methods that were handed in: whether both makings of their artifacts were the same; None: it holds
            artifacts.
    """

    id: int
    team: str
    method: str
    version: str
    supersedes: int | None
    tracks: frozenset[Track]
    status: Status
    reason: str = ""
    records: tuple[Stored, ...] = field(default=(), repr=False)
    made: bool | None = None

    @property
    def label(self) -> str:
        """Name that no other entry has."""
        return f"{self.team}/{self.method}@{self.version}"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Boards that it is on: methods have their own, and are ranked with artifacts where they are reproduced."""
        ran = self.made is not None or any(one.record.cell.method.code_digest for one in self.records)
        return KINDS if self.made else ("code",) if ran else ("artifact",)


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


@dataclass(frozen=True)
class BoardRow:
    """An entry on a board.

    Attributes:
        entry: The entry.
        cells: What it has in each cell, in the order of the board.
        place: From 1; None: it is not ranked.
        mean_rank: Mean of its ranks.
        why: Why it is not ranked.
    """

    entry: Contender
    cells: tuple[CellResult, ...]
    place: int | None = None
    mean_rank: float | None = None
    why: str = ""


@dataclass(frozen=True)
class BoardStandings:
    """A board.

    Attributes:
        board: Its rules.
        kind: Whether artifacts or code is ranked.
        column: Its headline.
        version: Version of the headline metric.
        cells: Its cells.
        rows: Entries with a place, best first, then those without.
        below: Entries that are shown only: superseded or withdrawn.
    """

    board: Board
    kind: Kind
    column: Column
    version: int
    cells: tuple[RoundCell, ...]
    rows: tuple[BoardRow, ...]
    below: tuple[BoardRow, ...]

    @property
    def name(self) -> str:
        """Name of the board; that of methods is told apart."""
        return self.board.name if self.kind == "artifact" else f"{self.board.name} (code)"


@dataclass(frozen=True)
class Standings:
    """All boards of a round on one split."""

    round: Round
    split: SplitName
    boards: tuple[BoardStandings, ...]


class _EntryRow(Row):
    """A row of one entry; those of two entries that hand in the same file are two rows."""

    @property
    def id(self) -> str:
        """The entry and what the row's cells share."""
        return f"{self.label} {super().id}"


def make_standings(rules: Round, split: SplitName, contenders: Sequence[Contender]) -> Standings:
    """Return the standings of a round.

    Args:
        rules: The round.
        split: Split that the records are of.
        contenders: Entries that were scored on it, or should have been.
    """
    # What is scored in the end is what a team nominated, whichever version that is.
    old = superseded(contenders) if split == "standings" else {}
    boards = []
    for board in rules.boards:
        for kind in KINDS:
            own = [one for one in contenders if board.track in one.tracks and kind in one.kinds]
            if own or kind == "artifact":
                boards.append(_board(rules, board, kind, own, old))
    return Standings(rules, split, tuple(boards))


def superseded(contenders: Sequence[Contender]) -> dict[int, str]:
    """Return the entries that a later, scored version takes the place of, with that version."""
    scored = sorted((one for one in contenders if one.status == "scored"), key=lambda one: one.id)
    return {one.supersedes: one.version for one in scored if one.supersedes is not None and one.supersedes < one.id}


def _board(
    rules: Round, board: Board, kind: Kind, contenders: Sequence[Contender], old: Mapping[int, str]
) -> BoardStandings:
    ordered = sorted(contenders, key=lambda one: one.id)
    ranked = [one for one in ordered if one.status != "withdrawn" and one.id not in old]
    cells = cells_of(rules, board.track)
    column, version = headline_column(board.track, board.headline), rules.metrics[board.headline]
    ranking = _CellRanking(rules, column, version)
    by_cell = [ranking.results(cell, ranked) for cell in cells]
    rows = [_row(one, cells, [results[one.id] for results in by_cell]) for one in ranked]
    below = [
        _below(one, [ranking.alone(cell, one, _why_below(one, old)) for cell in cells], old)
        for one in ordered
        if one not in ranked
    ]
    return BoardStandings(board, kind, column, version, tuple(cells), _in_order(rows), tuple(below))


def _row(entry: Contender, cells: Sequence[RoundCell], results: Sequence[CellResult]) -> BoardRow:
    """An entry with the mean of its ranks, or with what is missing."""
    if entry.status == "failed":
        return BoardRow(entry, tuple(results), why=entry.reason or "scoring failed")
    gaps = [(cell, one) for cell, one in zip(cells, results, strict=True) if one.rank.position is None]
    if gaps:
        first, count = gaps[0], f"{len(gaps)} of {len(cells)} cells have no rank"
        return BoardRow(entry, tuple(results), why=f"{count}: {first[0].title}: {first[1].rank.why}")
    positions = [one.rank.position or 0 for one in results]
    return BoardRow(entry, tuple(results), mean_rank=sum(positions) / len(positions))


def _in_order(rows: Sequence[BoardRow]) -> tuple[BoardRow, ...]:
    """Rows by mean rank, which equal ones share the place of; then those without."""
    ranked = sorted((row for row in rows if row.mean_rank is not None), key=lambda row: (row.mean_rank, row.entry.id))
    means = [row.mean_rank for row in ranked]
    with_place = [
        BoardRow(row.entry, row.cells, means.index(row.mean_rank) + 1, row.mean_rank, row.why) for row in ranked
    ]
    return (*with_place, *(row for row in rows if row.mean_rank is None))


def _why_below(entry: Contender, old: Mapping[int, str]) -> str:
    return "withdrawn" if entry.status == "withdrawn" else f"superseded by version {old[entry.id]}"


def _below(entry: Contender, results: Sequence[CellResult], old: Mapping[int, str]) -> BoardRow:
    return BoardRow(entry, tuple(results), why=_why_below(entry, old))


@dataclass(frozen=True)
class _CellRanking:
    """Ranks the entries of one cell after the other by one metric."""

    rules: Round
    column: Column
    version: int

    def results(self, cell: RoundCell, entries: Sequence[Contender]) -> dict[int, CellResult]:
        """What each entry has in a cell, by the entry's number."""
        rows, found = {}, {}
        for entry in entries:
            row = self._row(cell, entry) if entry.status == "scored" else entry.reason or "scoring failed"
            why = row if isinstance(row, str) else unranked_reason(row, self.column.metric, self.version)
            if isinstance(row, str) or why is not None:
                found[entry.id] = self._result(row, Rank(None, why=why or ""))
            else:
                rows[entry.id] = row
        ranks = self._ranks(cell.track, list(rows.values()))
        return found | {number: self._result(row, ranks[row.id]) for number, row in rows.items()}

    def alone(self, cell: RoundCell, entry: Contender, why: str) -> CellResult:
        """What an entry has in a cell that it is not ranked in; of a withdrawn one no number is shown."""
        row = "withdrawn" if entry.status == "withdrawn" else self._row(cell, entry)
        return self._result(row, Rank(None, why=why))

    def _row(self, cell: RoundCell, entry: Contender) -> Row | str:
        """The entry's records in a cell as one row, or why there is none."""
        own = [one for one in entry.records if cell.takes(one.record.cell, self.rules.models)]
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
