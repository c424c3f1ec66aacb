"""When and why a number changed: the changelog's lines on metrics, tasks and the board, and numbers replaced."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from mibench.core.files import read_text
from mibench.core.shipped import shipped_places
from mibench.leaderboard.site.cards import inline_html
from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.site.environment import render
from mibench.leaderboard.site.metric_docs import declared, doc
from mibench.leaderboard.text import plain
from mibench.leaderboard.view import GroupView

FILE = "CHANGELOG.md"
KINDS = ("Metric", "Task", "Board")
_MAX_BYTES = 4 * 1024 * 1024
_HEADING = re.compile(r"## +(.*)")
_LINE = re.compile(rf"- \[({'|'.join(KINDS)})\] (.*)")


@dataclass(frozen=True)
class Change:
    """A line of the changelog: version, kind, and its words as HTML without anything that acts."""

    version: str
    kind: str
    words: str


@dataclass(frozen=True)
class Revision:
    """A metric whose formula has changed.

    Attributes:
        name: The metric.
        version: Newest version in the records or the code.
        doc: What it is.
        by_version: Number of records whose number has each version.
        replaced: Numbers that were computed again.
        since: Day of the first of them; empty where none was.
    """

    name: str
    version: int
    doc: str
    by_version: tuple[tuple[int, int], ...]
    replaced: int
    since: str


def changelog() -> str:
    """Return the changelog that comes with mibench; empty where it does not."""
    path = next((place for place in shipped_places(FILE) if place.is_file()), None)
    return "" if path is None else read_text(path, max_bytes=_MAX_BYTES)


def changes(text: str) -> list[Change]:
    """Return the lines of a changelog that say why numbers are others now, newest first."""
    return list(_changes(text))


def _changes(text: str) -> Iterator[Change]:
    version = ""
    for line in _joined(text):
        heading, found = _HEADING.match(line), _LINE.match(line)
        if heading:
            version = heading.group(1)
        elif found:
            yield Change(plain(version, 60), found.group(1), inline_html(found.group(2)))


def _joined(text: str) -> list[str]:
    """Lines, with those that go on in the next one joined."""
    found: list[str] = []
    for line in text.splitlines():
        if found and line.startswith("  ") and line.strip():
            found[-1] += f" {line.strip()}"
        else:
            found.append(line)
    return found


def revisions(groups: Sequence[GroupView]) -> list[Revision]:
    """Return the metrics of the records that have, or had, more than one version."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    days: dict[str, list[str]] = defaultdict(list)
    for view in groups:
        of_view, replaced = view.memory.recall_json("revisions", partial(_tally, view))
        for name, version, number in of_view:
            counts[name][version] += number
        for name, day in replaced:
            days[name].append(day)
    found = [_revision(name, by_version, sorted(days[name])) for name, by_version in sorted(counts.items())]
    return [one for one in found if one.version > 1 or one.replaced]


def _tally(view: GroupView) -> tuple[list[tuple[str, int, int]], list[tuple[str, str]]]:
    """How many numbers of each metric have each version, and when numbers were replaced."""
    records = [record for row in view.group.rows for record in row.records]
    counts = Counter((name, value.version) for record in records for name, value in record.metrics.items())
    days = [
        (name, f"{one.replaced_at:%Y-%m-%d}")
        for record in records
        for name, former in record.volatile.former.items()
        for one in former
    ]
    return [(name, version, number) for (name, version), number in counts.items()], days


def _revision(name: str, by_version: Mapping[int, int], days: Sequence[str]) -> Revision:
    component = declared(name)
    today = 1 if component is None else int(component.metadata.get("version", 1))
    shown = tuple(sorted(by_version.items()))
    return Revision(plain(name), max(today, *by_version), doc(name), shown, len(days), days[0] if days else "")


def changes_html(groups: Sequence[GroupView], found: Sequence[Change], context: SiteContext) -> bytes:
    """Return the page of changes."""
    return render(
        "changes.html.jinja",
        "",
        context=context,
        title="What changed",
        changes=found,
        kinds=KINDS,
        revisions=revisions(groups),
    )
