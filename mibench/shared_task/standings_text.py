"""Standings as JSON, for computing, and as Markdown, for reading."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mibench.core.specs import Track
from mibench.leaderboard.text import markdown, number, plain
from mibench.shared_task.cell_ranking import CellResult
from mibench.shared_task.standings import BoardRow, BoardStandings, Standings

SCHEMA_VERSION = 1
READING = (
    "Every cell ranks the entries that have it by the board's headline metric; entries that a paired bootstrap over "
    "examples does not tell from the leader of their letter share its rank. The place is by the mean of the ranks over "
    "all cells of the board: an entry without one of them is shown, not ranked. Numbers carry 95 % intervals in "
    "brackets; “at floor” means not separable from what an uninformed method reaches."
)
READING_SAE = (
    "Dictionaries are ranked one by one: the headline is a number of one dictionary, not the area of the frontier that "
    "a family of several sparsities covers, which the leaderboard ranks. They are told apart by their own intervals."
)
READING_CODE = (
    "Methods that were handed in as code: a sandbox ran each twice on public data, and what it made was scored as any "
    "artifact is. They are ranked together with artifacts only where both runs made the same bytes (“reproduced”)."
)


def standings_json(standings: Standings) -> bytes:
    """Return the standings as JSON: equal standings give equal bytes."""
    values = {
        "schema_version": SCHEMA_VERSION,
        "round": standings.round.name,
        "split": standings.split,
        "commitment": standings.round.commitments[standings.split],
        "boards": [_board(one) for one in standings.boards],
    }
    return (json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def standings_markdown(standings: Standings) -> bytes:
    """Return the standings as one Markdown page."""
    title = f"# {markdown(plain(standings.round.title))}: {standings.split}"
    parts = [title, READING, *(_section(one) for one in standings.boards)]
    return ("\n\n".join(parts) + "\n").encode()


def _board(one: BoardStandings) -> dict[str, Any]:
    return {
        "board": one.board.name,
        "kind": one.kind,
        "track": one.board.track.value,
        "headline": one.column.metric,
        "headline_version": one.version,
        "higher_is_better": one.column.higher_is_better,
        "aggregate": one.board.aggregate,
        "cells": [{"task": cell.task, "model": cell.model or None, "part": cell.part} for cell in one.cells],
        "entries": [_row(row) for row in one.rows],
        "shown_only": [_row(row) for row in one.below],
    }


def _row(row: BoardRow) -> dict[str, Any]:
    entry = row.entry
    return {
        "place": row.place,
        "mean_rank": row.mean_rank,
        "entry": entry.id,
        "team": entry.team,
        "method": entry.method,
        "version": entry.version,
        "handed_in": "artifacts" if entry.made is None else "code",
        "reproduced": entry.made,
        "why_unranked": row.why or None,
        "cells": [_cell(one) for one in row.cells],
    }


def _cell(one: CellResult) -> dict[str, Any]:
    keys = ("value", "ci_low", "ci_high", "ci_source", "n", "floor", "ceiling", "unit", "version")
    return {
        "rank": one.rank.position,
        "tie": one.rank.group or None,
        "why": plain(one.rank.why, 400),
        **{key: getattr(one.value, key, None) for key in keys},
        "above_floor": one.above_floor,
    }


def _section(one: BoardStandings) -> str:
    import pandas as pd

    arrow = "↑" if one.column.higher_is_better else "↓"
    facts = (
        f"Track {one.board.track}, by `{one.column.metric}` {arrow} (version {one.version}), {_cells(len(one.cells))}."
    )
    parts = [f"## {markdown(one.name)}", facts]
    parts += [READING_SAE] if one.board.track is Track.SAE else []
    parts += [READING_CODE] if one.kind == "code" else []
    headings = ["place", "team", "method", "mean rank", *(markdown(plain(cell.title)) for cell in one.cells)]
    shown = [_line(row, one) for row in one.rows]
    table = pd.DataFrame(shown, columns=headings).to_markdown(index=False, disable_numparse=True)
    parts.append(table if shown else "There are no entries yet.")
    parts += _unranked(one.rows)
    if one.below:
        below = pd.DataFrame([_line(row, one) for row in one.below], columns=headings)
        parts += ["Shown only:", below.to_markdown(index=False, disable_numparse=True), *_unranked(one.below)]
    return "\n\n".join(parts)


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _line(row: BoardRow, board: BoardStandings) -> list[str]:
    entry = row.entry
    place = "–" if row.place is None else str(row.place)
    mean = "–" if row.mean_rank is None else number(row.mean_rank, 2)
    name = f"{entry.method}@{entry.version}" + (" (code, reproduced)" if entry.made else "")
    return [
        place,
        markdown(entry.team),
        markdown(name),
        mean,
        *(_number(one, board.column.digits) for one in row.cells),
    ]


def _number(one: CellResult, digits: int) -> str:
    """A number with its interval, and its rank in the cell."""
    if one.value is None or one.value.value is None:
        return "—"
    value, low, high = one.value.value, one.value.ci_low, one.value.ci_high
    span = "" if low is None or high is None else f" [{number(low, digits)}, {number(high, digits)}]"
    floor = ", at floor" if one.above_floor is False else ""
    return f"{number(value, digits)}{span} ({one.rank}{floor})"


def _unranked(rows: Sequence[BoardRow]) -> list[str]:
    lines = [f"- {markdown(row.entry.label)}: {markdown(plain(row.why, 400))}" for row in rows if row.place is None]
    return ["\n".join(lines)] if lines else []
