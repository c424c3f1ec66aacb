"""The page of a task: what it is, its data, and all its tables."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mibench.core.errors import DataError
from mibench.core.files import read_text
from mibench.core.registry import Component, Registry
from mibench.core.shipped import DIGESTS_FILE, checked_file, shipped_places
from mibench.leaderboard.site.cards import card_html
from mibench.leaderboard.site.context import SiteContext
from mibench.leaderboard.site.environment import render
from mibench.leaderboard.site.links import task_page
from mibench.leaderboard.site.metric_docs import better, declared, doc
from mibench.leaderboard.text import plain, slug
from mibench.leaderboard.view import GroupView

_REGISTRIES = tuple(
    Registry(kind=kind, package="mibench.tasks") for kind in ("task", "variable_task", "dictionary_task")
)
_CARD = "DATACARD.md"
_EXAMPLE = "validation.jsonl"
_MAX_BYTES = 64 * 1024 * 1024
_LONGEST, _MOST = 400, 8


def task_pages(groups: Sequence[GroupView], context: SiteContext) -> Iterable[tuple[str, bytes]]:
    """Yield the page of every task of the tables, by name."""
    found: dict[str, list[GroupView]] = defaultdict(list)
    for view in groups:
        found[view.group.cell.task.name].append(view)
    for name, views in sorted(found.items()):
        yield task_page(name), _page(name, views, context)


def _page(name: str, views: Sequence[GroupView], context: SiteContext) -> bytes:
    folder = data_folder(name)
    card = None if folder is None else card_of(folder)
    return render(
        "task.html.jinja",
        "../",
        context=context,
        title=plain(name),
        declarations=[_facts(one) for one in components_of(name)],
        versions=sorted({view.group.cell.task.version for view in views}),
        views=views,
        models=sorted({plain(view.group.cell.model.name) for view in views}),
        metrics=_metrics(views),
        # Everything in a card is escaped by `card_html`.
        card=None if card is None else Markup(card),  # noqa: S704
        example=[] if folder is None else example_of(folder),
    )


def components_of(name: str) -> list[Component]:
    """Return what tasks of a name declare, of the tracks in their order."""
    return [one.components[name] for one in _REGISTRIES if name in one.components]


def _facts(component: Component) -> dict[str, Any]:
    declared = component.metadata
    titles = {"version": "Version", "licence": "Licence", "citation": "Source", "notes": "Notes", "metric": "Metric"}
    found = [(title, plain(str(declared[key]), 600)) for key, title in titles.items() if declared.get(key)]
    variables = ", ".join(map(str, declared.get("variables", ())))
    found += [("Variables", variables)] if variables else []
    return {"kind": component.kind, "doc": plain(component.doc, 400), "facts": found}


def data_folder(name: str) -> Path | None:
    """Return the folder of a task's shipped data; None where none comes with mibench."""
    if slug(name) != name:
        return None
    return next((place for place in shipped_places("data", name) if (place / DIGESTS_FILE).is_file()), None)


def card_of(folder: Path) -> str | None:
    """Return the data card of shipped data as HTML; None where there is none."""
    path = folder / _CARD
    return card_html(read_text(path, max_bytes=_MAX_BYTES)) if path.is_file() else None


def example_of(folder: Path) -> list[tuple[str, str]]:
    """Return the first public validation row of shipped data, text by column; nothing where there is none."""
    try:
        path = checked_file(folder, _EXAMPLE)
        first = read_text(path, max_bytes=_MAX_BYTES).partition("\n")[0]
        row = json.loads(first)
    except (DataError, ValueError, RecursionError):
        return []
    shown = [(str(key), _text(value)) for key, value in row.items()] if isinstance(row, dict) else []
    return [(plain(key, 60), plain(text, _LONGEST)) for key, text in shown if text][:_MOST]


def _text(value: Any) -> str:
    """A value as a reader sees it; of a counterfactual, its prompt."""
    if isinstance(value, dict) and "prompt" in value:
        value = value["prompt"]
    return json.dumps(value, ensure_ascii=False) if value is not None else ""


def _metrics(views: Sequence[GroupView]) -> list[dict[str, str]]:
    """The metrics of a task's rows, with the versions that the rows have and the one of today."""
    versions: dict[str, set[int]] = defaultdict(set)
    for view in views:
        for metric, version in view.memory.recall_json("versions", partial(_versions, view)):
            versions[metric].add(version)
    return [_metric(name, found) for name, found in sorted(versions.items())]


def _versions(view: GroupView) -> list[tuple[str, int]]:
    records = (record for row in view.group.rows for record in row.records)
    return sorted({(name, value.version) for record in records for name, value in record.metrics.items()})


def _metric(name: str, versions: set[int]) -> dict[str, str]:
    component = declared(name)
    known = {} if component is None else component.metadata
    return {
        "name": plain(name),
        "doc": doc(name),
        "better": better(known.get("higher_is_better")),
        "versions": ", ".join(map(str, sorted(versions))),
        "today": str(known.get("version", "not registered")),
    }
