"""Two rows of one table side by side: a page that reads the tables' numbers from a script beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mibench.leaderboard.columns import COSTS
from mibench.leaderboard.site.commands import file_shown, folder_shown
from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.site.environment import render, script_json
from mibench.leaderboard.site.links import group_link, method_page, record_page
from mibench.leaderboard.site.marks import marks
from mibench.leaderboard.view import GroupView, RowView

ROW_DIGITS = 12
"""Digits of a row's id in links."""


def compare_html(context: SiteContext) -> bytes:
    """Return the page that compares."""
    return render("compare.html.jinja", "", context=context, title="Compare two rows")


def data_script(groups: Sequence[GroupView], context: SiteContext) -> bytes:
    """Return the numbers of all tables as a script that sets one name."""
    costs = [{"title": cost.title, "doc": cost.doc} for cost in COSTS]
    tables = ",".join(_kept(view, context) for view in groups if view.summary.rows)
    return f'window.MIBENCH = {{"costs":{script_json(costs)},"tables":[{tables}]}};\n'.encode()


def _kept(view: GroupView, context: SiteContext) -> str:
    folders = [folder_shown(folder) for folder in view.summary.folders]
    return view.memory.recall("compare", lambda: script_json(_table(view, context)), context.about(view), folders)


def _table(view: GroupView, context: SiteContext) -> dict[str, Any]:
    heads = [
        {"title": head.title, "arrow": head.arrow, "doc": head.doc, "floor": head.floor, "ceiling": head.ceiling,
         "apart": head.resolves, "digits": column.digits, "pairs": _pairs(view, column.metric)}
        for head, column in zip(view.heads, view.columns, strict=False)
    ]  # fmt: skip
    return {
        "id": view.group.id,
        "title": view.group.title,
        "facts": list(view.facts),
        "page": group_link(view.group),
        "heads": heads,
        "folders": sorted({folder_shown(folder) for folder in view.summary.folders}),
        "rows": [_row(view, row, context) for row in view.rows],
    }


def _pairs(view: GroupView, metric: str) -> dict[str, Any] | None:
    """Return what a column's ranks say of pairs of rows, those of the first row first; None where it ranks nothing.

    ``half``: the bound that the difference is held against; ``tied``: a 1 where the pair ties; ``how``: which of
    ``ways`` the bound rests on.
    """
    known = [(rank.order, row.row.id, rank) for row in view.rows if (rank := row.ranks.get(metric)) is not None]
    listed = sorted(((order, row, rank) for order, row, rank in known if order is not None), key=lambda one: one[0])
    if not any(rank.position is not None for _, _, rank in known):
        return None
    pairs = [pair for _, _, rank in listed for pair in rank.pairs]
    ways = list(dict.fromkeys(how for _, _, how in pairs))
    places = {how: place for place, how in enumerate(ways)}
    return {
        "rows": [row[:ROW_DIGITS] for _, row, _ in listed],
        "half": [None if half is None else float(f"{half:.4g}") for half, _, _ in pairs],
        "tied": "".join("1" if tied else "0" for _, tied, _ in pairs),
        "how": [places[how] for _, _, how in pairs],
        "ways": ways,
    }


def _row(view: GroupView, row: RowView, context: SiteContext) -> dict[str, Any]:
    ok = row.row.status == "ok"
    metrics = [row.row.metrics.get(column.metric) for column in view.columns]
    ranks = [row.ranks.get(column.metric) for column in view.columns]
    return {
        "id": row.row.id[:ROW_DIGITS],
        "label": row.row.label,
        "detail": row.row.detail,
        "method": method_page(row.row.records[0].cell.method.name),
        "records": [record_page(record.cell.id) for record in row.row.records],
        "cells": [record.cell.id for record in row.row.records],
        # Ids are looked up in one folder; where there are several, records go by their files.
        "file": file_shown(row.row.entries[0]) if len(view.summary.folders) > 1 else "",
        "marks": [one.word for one in marks(row.row, context.confirmations)],
        "rank": str(row.rank),
        "why": row.rank.why,
        "status": row.row.status,
        "reason": row.row.reason,
        # Value, ends of its interval, rank, what is said on pointing at it, and why it is not ranked.
        "numbers": [
            [
                value and value.value,
                value and value.ci_low,
                value and value.ci_high,
                cell.rank,
                cell.title if ok else "",
                rank.why if rank is not None and rank.position is None else "",
            ]
            for value, cell, rank in zip(metrics, row.cells, ranks, strict=False)
        ],
        "costs": [[cost.value, cost.text] for cost in row.costs],
    }
