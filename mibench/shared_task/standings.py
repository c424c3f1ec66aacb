"""Records of entries in, standings out: ranks in every cell, and places by the mean of the ranks.

Every cell ranks the entries of a board by the headline metric; entries that cannot be told apart share a rank, as in
the leaderboard. An entry that lacks a cell of a board, or has no number there, is shown and not ranked, and neither are
others of a team than the last that has all cells: entries that are ranked move the ranks of others, so that nobody may
add some to that end. Methods that were handed in as code have boards of their own; those whose artifacts were made
twice alike are ranked with artifacts too. Of a version and the one that takes its place, the later is ranked. The same
records always give the same standings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mibench.core.specs import Track
from mibench.intake.round import Board, Round, SplitName
from mibench.leaderboard.columns import Column
from mibench.leaderboard.rows import Entry as Stored
from mibench.shared_task.cell_ranking import CellRanking, CellResult, Offer
from mibench.shared_task.cells import RoundCell, cells_of, headline_column

Place = tuple[Track, str, str, str | None]
"""Track, task, model, and level, variable or hook."""
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
        promised: How many artifacts it has, by track, task, model and part; None: that is not known.
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
    promised: Mapping[Place, int] | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """Name that no other entry has."""
        return f"{self.team}/{self.method}@{self.version}"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Boards that it is on: methods have their own, and are ranked with artifacts where they are reproduced."""
        ran = self.made is not None or any(one.record.cell.method.code_digest for one in self.records)
        return KINDS if self.made else ("code",) if ran else ("artifact",)

    def n_promised(self, cell: RoundCell) -> int:
        """How many artifacts it has for a cell, whether or not they could be scored."""
        place = (cell.track, cell.task, cell.model)
        known = (self.promised or {}).items()
        return sum(count for (*there, part), count in known if (*there,) == place and cell.part in (None, part))


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
                boards.append(_board(rules, board, kind, own, old, one_each=split == "standings"))
    return Standings(rules, split, tuple(boards))


def superseded(contenders: Sequence[Contender]) -> dict[int, str]:
    """Return the entries that a later, scored version takes the place of, with that version."""
    scored = sorted((one for one in contenders if one.status == "scored"), key=lambda one: one.id)
    return {one.supersedes: one.version for one in scored if one.supersedes is not None and one.supersedes < one.id}


def _board(
    rules: Round,
    board: Board,
    kind: Kind,
    contenders: Sequence[Contender],
    old: Mapping[int, str],
    *,
    one_each: bool,
) -> BoardStandings:
    ordered = sorted(contenders, key=lambda one: one.id)
    ranked = [one for one in ordered if one.status != "withdrawn" and one.id not in old]
    cells = cells_of(rules, board.track)
    column, version = headline_column(board.track, board.headline), rules.metrics[board.headline]
    ranking = CellRanking(rules, column, version)
    offers = [{one.id: ranking.offer(cell, one) for one in ranked} for cell in cells]
    whole = [one for one in ranked if not any(found[one.id].gap for found in offers)]
    leaders = {one.team: one for one in whole} if one_each else {}
    kept = {one.id: _why_not(one, whole, leaders) for one in ranked}
    by_cell = [ranking.results(cell, found, kept) for cell, found in zip(cells, offers, strict=True)]
    rows = [_row(one, cells, [found[one.id] for found in offers], by_cell, kept[one.id]) for one in ranked]
    below = [
        _below(one, [ranking.alone(cell, one, _why_below(one, old)) for cell in cells], old)
        for one in ordered
        if one not in ranked
    ]
    return BoardStandings(board, kind, column, version, tuple(cells), _in_order(rows), tuple(below))


def _why_not(entry: Contender, whole: Sequence[Contender], leaders: Mapping[str, Contender]) -> str:
    """Why an entry is not ranked in cells where it has a number; empty if it is."""
    if entry not in whole:
        return "it lacks other cells of the board"
    leader = leaders.get(entry.team, entry)
    return "" if leader.id == entry.id else f"{leader.label} is ranked, its team's last entry that has all cells"


def _row(
    entry: Contender,
    cells: Sequence[RoundCell],
    offers: Sequence[Offer],
    by_cell: Sequence[Mapping[int, CellResult]],
    why_not: str,
) -> BoardRow:
    """An entry with the mean of its ranks, or with what is missing."""
    results = tuple(found[entry.id] for found in by_cell)
    if entry.status == "failed":
        return BoardRow(entry, results, why=entry.reason or "scoring failed")
    gaps = [(cell, one.gap) for cell, one in zip(cells, offers, strict=True) if one.gap]
    if gaps:
        first, count = gaps[0], f"{len(gaps)} of {len(cells)} cells have no rank"
        return BoardRow(entry, results, why=f"{count}: {first[0].title}: {first[1]}")
    if why_not:
        return BoardRow(entry, results, why=why_not)
    positions = [one.rank.position or 0 for one in results]
    return BoardRow(entry, results, mean_rank=sum(positions) / len(positions))


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
