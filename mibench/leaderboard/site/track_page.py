"""The page of a track: all its tables, those of one task and model in one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from mibench.core.specs import Track
from mibench.leaderboard import notes
from mibench.leaderboard.published import READING_PUBLISHED
from mibench.leaderboard.rows import place
from mibench.leaderboard.site.charts import charts
from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.site.environment import render
from mibench.leaderboard.site.frontiers import READING, frontiers
from mibench.leaderboard.site.links import CONVENTION_DOCS, CONVENTIONS, TITLES
from mibench.leaderboard.site.marks import is_private, marks
from mibench.leaderboard.site.recall import recalled
from mibench.leaderboard.site.stability import stability
from mibench.leaderboard.site.tradeoff import tradeoffs
from mibench.leaderboard.text import plain
from mibench.leaderboard.view import MAX_CURVES, GroupView
from mibench.records.record import RunRecord


@dataclass(frozen=True)
class Place:
    """Tables of one task, model and level: by convention, split, and whatever else keeps them apart.

    Attributes:
        title: Task, variable or hook point, and model.
        views: Its tables.
    """

    title: str
    views: tuple[GroupView, ...]

    @property
    def id(self) -> str:
        """Anchor of the place."""
        return f"at-{self.views[0].group.id}"

    @cached_property
    def conventions(self) -> tuple[str, ...]:
        """Conventions of the tables, the strict one first."""
        have = {view.group.cell.convention.value for view in self.views}
        return tuple(name for name in CONVENTIONS if name in have)


def places(groups: Sequence[GroupView]) -> list[Place]:
    """Return the tables by task, variable or hook point, model and level, in the order of the first of each."""
    found: dict[tuple[str, ...], list[GroupView]] = {}
    for view in groups:
        found.setdefault(_key(view), []).append(view)
    return [Place(views[0].group.title, tuple(sorted(views, key=_order))) for views in found.values()]


def _key(view: GroupView) -> tuple[str, ...]:
    cell = view.group.cell
    where = "" if cell.dictionary is None else place(cell.dictionary)
    variable = "" if cell.variable is None else cell.variable.name
    return cell.task.name, variable, where, cell.model.name, cell.level.value if cell.level else ""


def _order(view: GroupView) -> tuple[int, bool, str, str]:
    cell = view.group.cell
    return list(CONVENTIONS).index(cell.convention.value), private_group(view), cell.task.split, view.group.id


def private_group(view: GroupView) -> bool:
    """Tell whether a table is of data that are not public."""
    return bool(view.memory.recall_json("private", lambda: any(map(is_private, _records(view)))))


def _records(view: GroupView) -> Iterable[RunRecord]:
    return (record for row in view.group.rows for record in row.records)


def track_html(track: Track, groups: Sequence[GroupView], context: SiteContext) -> bytes:
    """Return the page of a track.

    Args:
        track: The track.
        groups: Its tables.
        context: What else is shown.
    """
    found = places(groups)
    return render(
        "track.html.jinja",
        "",
        context=context,
        track=track,
        title=TITLES[track],
        places=found,
        conventions=[name for name in CONVENTIONS if any(name in place.conventions for place in found)],
        convention_docs=CONVENTION_DOCS,
        tasks=sorted({plain(view.group.cell.task.name) for view in groups}),
        models=sorted({plain(view.group.cell.model.name) for view in groups}),
        splits=sorted({split_name(view) for view in groups}),
        split_name=split_name,
        kept=recalled("track", context),
        marks=lambda row: marks(row, context.confirmations),
        private=private_group,
        charts=charts,
        frontiers=frontiers,
        frontier_note=READING,
        stable=stability,
        tradeoffs=tradeoffs,
        identity=notes.identity,
        published=context.published if track is Track.SAE else (),
        reading=READING_PUBLISHED.replace("*", ""),
        max_curves=MAX_CURVES,
    )


def split_name(view: GroupView) -> str:
    """Return what a table's split is called in the filter: private ones apart."""
    split = plain(view.group.cell.task.split, 40)
    return f"{split} (private)" if private_group(view) else split
