"""The page of a method: what it is, what it costs, and where it stands in every table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from mibench.core.registry import Component, Registry
from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.site.docstring import Docs, docs_of
from mibench.leaderboard.site.environment import render
from mibench.leaderboard.site.frontiers import READING, frontiers
from mibench.leaderboard.site.links import method_page
from mibench.leaderboard.site.marks import Mark, marks
from mibench.leaderboard.site.recall import recalled
from mibench.leaderboard.text import plain
from mibench.leaderboard.view import GroupView, HeadView, RowView

METHODS = Registry("method", "mibench.methods")


@dataclass(frozen=True)
class Standing:
    """A row of a method in a table, with the heading of its first column."""

    view: GroupView
    row: RowView
    head: HeadView | None
    marks: tuple[Mark, ...]


def method_pages(groups: Sequence[GroupView], context: SiteContext) -> Iterable[tuple[str, bytes]]:
    """Yield the page of every method of the tables, by name."""
    found: dict[str, list[GroupView]] = defaultdict(list)
    for view in groups:
        for name in view.summary.methods:
            found[name].append(view)
    for name, views in sorted(found.items()):
        yield method_page(name), _page(name, views, context)


def _standings(view: GroupView, name: str, context: SiteContext) -> list[Standing]:
    """The rows of a method in a table."""
    head = view.heads[0] if view.heads else None
    rows = [row for row in view.rows if row.row.records[0].cell.method.name == name]
    return [Standing(view, row, head, marks(row.row, context.confirmations)) for row in rows]


def _page(name: str, views: Sequence[GroupView], context: SiteContext) -> bytes:
    component = METHODS.components.get(name)
    declared = {} if component is None else component.metadata
    facts = [
        ("Track", str(declared.get("track", ""))),
        ("Version", str(declared.get("version", ""))),
        ("Levels", ", ".join(declared.get("levels", ()))),
        ("Needs", ", ".join(declared.get("needs", ()))),
        ("Code", "" if component is None else component.where),
    ]
    return render(
        "method.html.jinja",
        "../",
        context=context,
        title=plain(name),
        docs=None if component is None else _docs(component),
        facts=[(title, text) for title, text in facts if text],
        name=name,
        views=views,
        standings=lambda view: _standings(view, name, context),
        pictures=lambda view: frontiers(view.families, name) if view.families else [],
        kept=recalled("standings", context),
        kept_pictures=recalled("frontiers", context),
        frontier_note=READING,
    )


def _docs(component: Component) -> Docs:
    return _known_docs(component.name)


@cache
def _known_docs(name: str) -> Docs:
    return docs_of(METHODS.components[name])
