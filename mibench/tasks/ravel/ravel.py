"""Attributes of cities, our own set: country, continent and language of a city, one of them asked for."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.checker import forced
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow
from mibench.tasks.ravel.rows import POSITIONS, causal_model, group, interchanges, row_parser
from mibench.tasks.ravel.words import ALIASES, ATTRIBUTES
from mibench.tasks.shipped import shipped_rows
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_task import Parts, Training, variable_task

SETS = ("attribute", "neutral")
_parse = row_parser(SETS)


def rows(split: str, encoder: TextEncoder | None) -> Iterator[InterchangeRow | LeftOut]:
    """Yield the rows of both sets: a source that asks about another city, and one that only names it."""
    return interchanges(shipped_rows("ravel", split, _parse), SETS, encoder)


def answers(output: str) -> tuple[str, ...]:
    """Return the answer and its other names, each after a space; none where nothing is asked."""
    name = output.strip()
    return tuple(f" {one}" for one in (name, *ALIASES.get(name, ()))) if name else ()


@variable_task(
    name="ravel",
    version=1,
    variables=("Country", "Continent", "Language"),
    citation="Huang et al. 2024, arXiv:2402.17700 (task); Mueller et al. 2025, arXiv:2504.13151 (schema); "
    "facts: GeoNames, geonames.org, CC-BY-4.0",
    licence="CC-BY-4.0",
    notes="Generated for mibench; cities, and templates, of a split are in no other one. In a third of the rows the "
    "base asks for the variable (cause), in two thirds for another attribute (isolate).",
)
def ravel() -> Parts:
    """Attributes of cities: country, continent or language; generated, with short worked examples."""
    return Parts(
        causal=causal_model("ravel"),
        sets=SETS,
        positions=POSITIONS,
        checker=forced(answers),
        rows=rows,
        sizes=dict.fromkeys(ATTRIBUTES, "d/8"),
        training=Training(epochs=8, batch=32, lr=1e-2),
        group=group,
    )
