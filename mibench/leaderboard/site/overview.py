"""The first page: what mibench is, the tracks with their best rows, how to read, and what changed last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mibench.core.specs import Track
from mibench.leaderboard.site.changes_page import Change
from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.site.environment import render
from mibench.leaderboard.site.links import TITLES
from mibench.leaderboard.site.recall import recalled
from mibench.leaderboard.text import plain
from mibench.leaderboard.view import GroupView, RowView

ABOUT = {
    Track.CIRCUIT: "Which edges, heads and MLPs of a model carry a task: how much of its behaviour is left when only "
    "they are.",
    Track.VARIABLE: "Where a model keeps a variable of the causal model: whether swapping it there changes the answer "
    "as it should.",
    Track.SAE: "What latents of a dictionary are worth: how they rebuild activations, name concepts and take part in "
    "causes.",
}
_TABLES = 5
_LEADERS = 3


@dataclass(frozen=True)
class Card:
    """A track on the first page.

    Attributes:
        track: The track.
        about: What it asks.
        views: Its largest tables.
        tables: How many it has.
        rows: Rows of all of them.
        methods: Different methods.
    """

    track: Track
    about: str
    views: tuple[GroupView, ...]
    tables: int
    rows: int
    methods: int


def overview_html(groups: Sequence[GroupView], changes: Sequence[Change], context: SiteContext) -> bytes:
    """Return the first page."""
    cards = [card for track in Track for card in [_card(track, groups)] if card is not None]
    records = {name for view in groups for name in view.summary.records}
    return render(
        "overview.html.jinja",
        "",
        context=context,
        title="mibench leaderboard",
        cards=cards,
        n_records=len(records),
        changes=changes[:6],
        leaders=leaders,
        kept=recalled("overview", context),
        tracks={card.track.value for card in cards},
        titles=TITLES,
        has_published=bool(context.published),
    )


def leaders(view: GroupView) -> tuple[list[RowView], int]:
    """Return the first rows that share rank 1, and how many more do."""
    best = [row for row in view.rows if row.rank.position == 1]
    return best[:_LEADERS], max(0, len(best) - _LEADERS)


def _card(track: Track, groups: Sequence[GroupView]) -> Card | None:
    own = [view for view in groups if view.group.track is track]
    if not own:
        return None
    largest = sorted(own, key=lambda view: -view.summary.rows)[:_TABLES]
    methods = {plain(name) for view in own for name in view.summary.methods}
    return Card(track, ABOUT[track], tuple(largest), len(own), sum(view.summary.rows for view in own), len(methods))
