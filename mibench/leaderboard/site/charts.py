"""Curves of a table's best rows, drawn by the page itself; maps of sites are on the pages of the records."""

from __future__ import annotations

from itertools import islice

from mibench.leaderboard.site.curve import Drawing, drawing
from mibench.leaderboard.view import MAX_CURVES, GroupView


def charts(view: GroupView) -> list[tuple[str, Drawing]]:
    """Return the curves of a table's best rows, by ranking."""
    found = [(name, drawing(dict(islice(lines.items(), MAX_CURVES)))) for name, lines in view.curves.items()]
    return [(name, one) for name, one in found if one is not None]
