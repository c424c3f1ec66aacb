"""Two rows of one table side by side: a page that reads the tables' numbers from a script beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mibench.leaderboard.columns import COSTS
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
    tables = [_table(view, context) for view in groups if view.rows]
    costs = [{"title": cost.title, "doc": cost.doc} for cost in COSTS]
    return f"window.MIBENCH = {script_json({'costs': costs, 'tables': tables})};\n".encode()


def _table(view: GroupView, context: SiteContext) -> dict[str, Any]:
    heads = [
        {"title": head.title, "arrow": head.arrow, "doc": head.doc, "floor": head.floor, "ceiling": head.ceiling,
         "apart": head.resolves, "digits": column.digits}
        for head, column in zip(view.heads, view.columns, strict=False)
    ]  # fmt: skip
    return {
        "id": view.group.id,
        "title": view.group.title,
        "facts": list(view.facts),
        "page": group_link(view.group),
        "heads": heads,
        "rows": [_row(view, row, context) for row in view.rows],
    }


def _row(view: GroupView, row: RowView, context: SiteContext) -> dict[str, Any]:
    ok = row.row.status == "ok"
    metrics = [row.row.metrics.get(column.metric) for column in view.columns]
    return {
        "id": row.row.id[:ROW_DIGITS],
        "label": row.row.label,
        "detail": row.row.detail,
        "method": method_page(row.row.records[0].cell.method.name),
        "records": [record_page(record.cell.id) for record in row.row.records],
        "cells": [record.cell.id for record in row.row.records],
        "marks": [one.word for one in marks(row.row, context.confirmations)],
        "rank": str(row.rank),
        "why": row.rank.why,
        "status": row.row.status,
        "reason": row.row.reason,
        # Value, ends of its interval, rank, and what is said on pointing at it.
        "numbers": [
            [
                value and value.value,
                value and value.ci_low,
                value and value.ci_high,
                cell.rank,
                cell.title if ok else "",
            ]
            for value, cell in zip(metrics, row.cells, strict=False)
        ],
        "costs": [[cost.value, cost.text] for cost in row.costs],
    }
