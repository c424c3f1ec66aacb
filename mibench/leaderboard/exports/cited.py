"""What records rest on: the works behind their tasks, methods, metrics and data, each with what names it."""

from __future__ import annotations

import ast
import importlib.util
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mibench.core.registry import Component, Registry
from mibench.leaderboard.exports.sources import Reference, references, sources
from mibench.records.record import RunRecord

_TASKS = tuple(Registry(kind=kind, package="mibench.tasks") for kind in ("task", "variable_task", "dictionary_task"))
_CORPORA = Registry(kind="corpus", package="mibench.tasks", plural="corpora")
_METHODS = Registry(kind="method", package="mibench.methods")
_METRICS = Registry(kind="metric", package="mibench.metrics")


@dataclass(frozen=True)
class Cited:
    """One work.

    Attributes:
        reference: What is known of it.
        uses: What names it, such as ``task ioi``, sorted.
    """

    reference: Reference
    uses: tuple[str, ...]


def cited(records: Iterable[RunRecord]) -> list[Cited]:
    """Return the works that records rest on, by their numbers at arXiv, those without one last."""
    known: dict[str, list[Reference]] = defaultdict(list)
    uses: dict[str, set[str]] = defaultdict(set)
    for kind, names in _named(records).items():
        for name in sorted(names):
            for one in _behind(kind, name):
                known[one.id].append(one)
                uses[one.id].add(f"{kind} {name}")
    found = [Cited(max(same, key=_told), tuple(sorted(uses[key]))) for key, same in known.items()]
    return sorted(found, key=lambda one: (not one.reference.arxiv, one.reference.id))


def _told(one: Reference) -> tuple[bool, int, int]:
    """How much a reference tells; of several years the first."""
    return one.year is not None, len(one.people), -(one.year or 0)


def _named(records: Iterable[RunRecord]) -> dict[str, set[str]]:
    """Names of components by kind, as records have them."""
    names: dict[str, set[str]] = {"task": set(), "corpus": set(), "method": set(), "metric": set()}
    for record in records:
        names["task"].add(record.cell.task.name)
        names["method"].add(record.cell.method.name)
        names["metric"] |= set(record.metrics)
        if record.cell.dictionary is not None:
            names["corpus"].add(record.cell.dictionary.corpus)
    return names


def _behind(kind: str, name: str) -> Iterator[Reference]:
    registries: dict[str, Sequence[Registry]] = {
        "task": _TASKS, "corpus": (_CORPORA,), "method": (_METHODS,), "metric": (_METRICS,),
    }  # fmt: skip
    for registry in registries[kind]:
        component = registry.components.get(name)
        if component is not None:
            yield from references(str(component.metadata.get("citation", "")))
            yield from sources(_doc(component))


def _doc(component: Component) -> str:
    """The whole docstring of a component, read without running its module."""
    for node in _nodes(component.module):
        if node.name == component.attr:
            return ast.get_docstring(node) or ""
    return ""


@cache
def _nodes(module: str) -> tuple[ast.FunctionDef | ast.ClassDef, ...]:
    try:
        spec = importlib.util.find_spec(module)
        text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    except (ImportError, OSError, ValueError):
        return ()
    return tuple(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef))
