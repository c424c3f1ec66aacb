"""Families of dictionaries as CSV and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from mibench.core.specs import Track
from mibench.leaderboard.cells import CellView
from mibench.leaderboard.family_view import FACTS, FamilyRow, FamilyTable
from mibench.leaderboard.text import markdown, plain, sheet
from mibench.leaderboard.view import GroupView
from mibench.metrics.sae.family import FamilyArea

FILE = "families.csv"


def families_csv(groups: Sequence[GroupView]) -> bytes | None:
    """Return one line a family and metric, in full precision; None where there are no families."""
    import pandas as pd

    of_track = [view for view in groups if view.group.track is Track.SAE]
    lines = [line for view in of_track for line in view.memory.recall_json("families", partial(_told, view))]
    if not lines:
        return None
    text: str = pd.DataFrame(lines, dtype=object).to_csv(index=False, lineterminator="\n")
    return text.encode()


def _told(view: GroupView) -> list[dict[str, Any]]:
    return [] if view.families is None else list(_lines(view, view.families))


def families_markdown(table: FamilyTable) -> str:
    """Return the table of families."""
    import pandas as pd

    titles = [f"{column.title} {arrow}".strip() for column, arrow in zip(table.columns, table.arrows, strict=True)]
    body = [[str(row.rank), _name(row), *row.facts, *map(_cell, row.cells)] for row in table.rows]
    made = pd.DataFrame(body, columns=["rank", "family", *(fact.lower() for fact in FACTS), *titles])
    text: str = made.to_markdown(index=False, disable_numparse=True)
    reasons = list(_reasons(table))
    return "\n\n".join([text, *(["\n".join(reasons)] if reasons else []), f"*{markdown(table.window)}*"])


def _lines(view: GroupView, table: FamilyTable) -> Iterator[dict[str, Any]]:
    for row, areas in zip(table.rows, table.areas, strict=True):
        for column, area, rank in zip(table.columns, areas, row.ranks, strict=True):
            numbers = _numbers(area)
            family = row.family
            texts = {"group": view.group.id, "family": family.label, "detail": family.detail, "metric": column.metric}
            who = {"dictionaries": len(family.records), "seeds": " ".join(map(str, family.seeds))}
            reach = dict(zip(("l0_low", "l0_high"), family.l0 or (None, None), strict=True))
            place = {"rank": rank.position, "tie": rank.group, "why": sheet(plain(rank.why, 400))}
            cells = {"cells": " ".join(record.cell.id for record in family.records)}
            yield (
                {name: sheet(plain(text, 400)) for name, text in texts.items()} | who | reach | numbers | place | cells
            )


def _numbers(area: FamilyArea) -> dict[str, Any]:
    value, window = area.metric, area.window
    parts = ("value", "ci_low", "ci_high", "ci_source", "reason", "floor", "ceiling", "version")
    ends = {"window_low": window.low if window else None, "window_high": window.high if window else None}
    found = {f"area.{part}": getattr(value, part) for part in parts}
    texts = {name: sheet(plain(text, 400)) for name, text in found.items() if isinstance(text, str)}
    return ends | {"sparsities": area.sparsities} | found | texts


def _name(row: FamilyRow) -> str:
    remarks = [row.family.detail, f"{row.family.board} board: not ranked" if row.family.board else ""]
    return f"{markdown(row.family.name)} <sub>{markdown(' · '.join(filter(None, remarks)))}</sub>"


def _cell(cell: CellView) -> str:
    rank = f" ({cell.rank})" if cell.rank and not cell.missing else ""
    return f"{cell.text}{rank} <sub>{cell.interval}</sub>" if cell.interval else cell.text + rank


def _reasons(table: FamilyTable) -> Iterator[str]:
    """Say why families have no area, or no rank."""
    for row in table.rows:
        said = [cell.title for cell in row.cells if cell.missing]
        said += [row.rank.why] if row.rank.position is None else []
        if said:
            yield f"- {markdown(row.family.label)}: {markdown('; '.join(dict.fromkeys(said)))}"
