"""What a method's docstring says, read without importing the method."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mibench.core.registry import Component

_SECTIONS = re.compile(r"^(Args|Returns|Raises|Attributes|Yields):$", re.MULTILINE)
_ITEM = re.compile(r"^ {4}(\w+): (.*)$")


@dataclass(frozen=True)
class Parameter:
    """A parameter: its name, its default as it is written, and what it does."""

    name: str
    default: str
    words: str


@dataclass(frozen=True)
class Docs:
    """A docstring in parts.

    Attributes:
        summary: First line.
        paragraphs: What follows, cost and source left out.
        cost: What it costs.
        source: Where it comes from.
        parameters: Those that a user can set.
    """

    summary: str
    paragraphs: tuple[str, ...] = ()
    cost: str = ""
    source: str = ""
    parameters: tuple[Parameter, ...] = ()


def docs_of(component: Component) -> Docs:
    """Return the documentation of a registered function; only its first line where its file is not found."""
    node = _node(component)
    text = None if node is None else ast.get_docstring(node)
    if node is None or not text:
        return Docs(component.doc)
    first = _SECTIONS.search(text)
    body = text if first is None else text[: first.start()]
    summary, *rest = (" ".join(part.split()) for part in body.strip().split("\n\n"))
    prose = " ".join(rest)
    cost, source = _sentence(prose, "Cost"), _sentence(prose, "Source")
    kept = [part for part in (_without(one) for one in rest) if part]
    return Docs(summary, tuple(kept), cost, source, _parameters(node, _arguments(text)))


def _node(component: Component) -> ast.FunctionDef | ast.ClassDef | None:
    try:
        spec = find_spec(component.module)
        tree = ast.parse(Path(spec.origin).read_bytes()) if spec is not None and spec.origin else None
    except (ImportError, OSError, SyntaxError, ValueError):
        return None
    body = [] if tree is None else tree.body
    found = (one for one in body if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name == component.attr)
    return next(found, None)


def _sentence(prose: str, name: str) -> str:
    """What stands behind ``Cost:`` or ``Source:``, up to the next such word."""
    found = re.search(rf"\b{name}: (.*?)(?= (?:Cost|Source): |$)", prose)
    return found.group(1).strip() if found else ""


def _without(paragraph: str) -> str:
    """The paragraph up to where cost or source begins."""
    return re.split(r"(?:^|(?<= ))(?:Cost|Source): ", paragraph)[0].strip()


def _arguments(text: str) -> dict[str, str]:
    """The words of ``Args:`` by parameter."""
    found: dict[str, str] = {}
    name, inside = "", False
    for line in text.splitlines():
        if _SECTIONS.fullmatch(line):
            inside = line == "Args:"
        item = _ITEM.match(line) if inside else None
        if item:
            name = item.group(1)
            found[name] = item.group(2)
        elif inside and name and line.startswith(" " * 8):
            found[name] += f" {line.strip()}"
    return found


def _parameters(node: ast.FunctionDef | ast.ClassDef, words: dict[str, str]) -> tuple[Parameter, ...]:
    if isinstance(node, ast.ClassDef):
        return ()
    given = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return tuple(
        Parameter(one.arg, "" if default is None else ast.unparse(default), words.get(one.arg, ""))
        for one, default in given
    )
