"""What the registry says of metrics whose name in records may carry a number."""

from __future__ import annotations

import re
from functools import cache

from mibench.core.registry import Component
from mibench.leaderboard.columns import COLUMNS, LINEAR_COLUMNS
from mibench.leaderboard.text import plain
from mibench.metrics.metric import METRICS


@cache
def declared(name: str) -> Component | None:
    """Return what a metric declares; None where it is not registered."""
    known = METRICS.components
    guesses = (name, _declared().get(name, ""), re.sub(r"\d+", "", name), re.sub(r"\d+", "n", name))
    return next((known[guess] for guess in guesses if guess in known), None)


@cache
def doc(name: str) -> str:
    """Return the first line of a metric's documentation, fit to be shown."""
    found = declared(name)
    return plain(found.doc.replace("``", ""), 300) if found is not None else ""


def better(value: bool | None) -> str:  # noqa: FBT001
    """Return which way is better, in a word."""
    return "neither" if value is None else "higher" if value else "lower"


@cache
def _declared() -> dict[str, str]:
    columns = [column for known in (*COLUMNS.values(), LINEAR_COLUMNS) for column in known]
    return {column.metric: column.declared for column in columns if column.declared}
