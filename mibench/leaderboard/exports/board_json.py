"""The tables as JSON: everything that they show, in full precision, under a schema with a version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mibench.core.version import BOARD
from mibench.leaderboard.ranking import Rank
from mibench.leaderboard.view import GroupView, RowView

SCHEMA_VERSION = 1
"""Rises whenever a field goes or changes its meaning; new fields do not raise it."""


def json_table(groups: Sequence[GroupView]) -> bytes:
    """Return all tables as one JSON object, one row a line."""
    head = {"schema_version": SCHEMA_VERSION, "made_by": "mibench leaderboard", "version": BOARD}
    opened = _text(head)[:-1]
    return f'{opened},"groups":[\n{",".join(map(_kept, groups))}]}}\n'.encode()


def _kept(view: GroupView) -> str:
    return view.memory.recall("json", lambda: _group(view))


def _group(view: GroupView) -> str:
    group = view.group
    told: dict[str, Any] = {"id": group.id, "track": group.track.value, "title": group.title, "key": group.key}
    told |= {"facts": view.facts, "notes": view.notes, "warnings": view.warnings, "columns": list(_columns(view))}
    rows = ",\n".join(_text(_row(row)) for row in view.rows)
    return f'{_text(told)[:-1]},"rows":[\n{rows}\n]}}\n'


def _columns(view: GroupView) -> Iterator[dict[str, Any]]:
    for column, head in zip(view.columns, view.heads, strict=False):
        yield {
            "metric": column.metric,
            "title": column.title,
            "digits": column.digits,
            "ranked": column.headline,
            "higher_is_better": column.higher_is_better if column.known else {"↑": True, "↓": False}.get(head.arrow),
            "told_apart": view.resolutions.get(column.metric),
        }


def _row(row: RowView) -> dict[str, Any]:
    entry = row.row
    return {
        "id": entry.id,
        "method": entry.method,
        "label": entry.label,
        "detail": entry.detail,
        "notes": row.notes,
        "status": entry.status,
        "reason": entry.reason or None,
        "board": entry.board,
        "origin": entry.origin or None,
        "seeds": entry.seeds,
        "cells": [record.cell.id for record in entry.records],
        "ranks": {metric: _rank(rank) for metric, rank in row.ranks.items()},
        "at_floor": row.at_floor,
        "metrics": {name: value.model_dump(mode="json") for name, value in entry.metrics.items()},
        "costs": entry.costs,
    }


def _rank(rank: Rank) -> dict[str, Any]:
    return {"position": rank.position, "tie": rank.group or None, "why": rank.why}


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
