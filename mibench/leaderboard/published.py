"""Numbers that others published, in tables of their own: shown beside ours, never ranked, never on one axis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mibench.core.hashing import digest
from mibench.leaderboard.cells import MISSING
from mibench.leaderboard.text import markdown, number, plain, sheet, slug
from mibench.records.saebench.read import PUBLISHED, PublishedNumber, PublishedResult

FILE = "published.csv"
READING_PUBLISHED = (
    f"*Published* numbers are others': {PUBLISHED}. They were made on other texts, and by the definitions that the "
    "table names; absorption up to SAEBench 0.3 and from 0.4 on are different metrics under one name."
)
_UNKNOWN = "unknown"

Sparsities = dict[tuple[str, str, str], float | None]
"""L0 by release, dictionary and version."""


@dataclass(frozen=True)
class PublishedTable:
    """Results of one evaluation, model, hook point and version of definitions.

    Attributes:
        id: Readable, and unique.
        title: Evaluation, place and model.
        facts: Version, and what the numbers are.
        heads: Names of the metrics.
        rows: Dictionary, architecture and width, L0, then one text a metric.
        results: What the rows are made of.
        sparsities: L0 of each row; None: not known.
    """

    id: str
    title: str
    facts: tuple[str, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    results: tuple[PublishedResult, ...]
    sparsities: tuple[float | None, ...]


def published_tables(results: Sequence[PublishedResult]) -> list[PublishedTable]:
    """Return tables of published results; dictionaries by architecture, width and L0.

    L0 is that of a result of the evaluation ``core`` for the same dictionary and version, as SAEBench's plots have it.
    """
    l0: Sparsities = {
        (*one.key, one.version): found.value for one in results if (found := one.metrics.get("l0")) is not None
    }
    groups: dict[tuple[str, str, str, str], list[PublishedResult]] = defaultdict(list)
    for one in results:
        groups[one.eval_type, one.model or _UNKNOWN, one.hook or _UNKNOWN, one.version].append(one)
    return [_table(key, groups[key], l0) for key in sorted(groups)]


def published_csv(tables: Sequence[PublishedTable]) -> bytes:
    """Return one line a result and metric."""
    import pandas as pd

    lines = [
        _line(one, sparsity, name, found)
        for table in tables
        for one, sparsity in zip(table.results, table.sparsities, strict=True)
        for name, found in sorted(one.metrics.items())
    ]
    text: str = pd.DataFrame(lines, dtype=object).to_csv(index=False, lineterminator="\n")
    return text.encode()


def published_markdown(tables: Sequence[PublishedTable]) -> str:
    """Return the tables as Markdown."""
    return "\n\n".join(["## Published by others", READING_PUBLISHED, *(_section(table) for table in tables)])


def _section(table: PublishedTable) -> str:
    import pandas as pd

    body = [[markdown(cell) for cell in row] for row in table.rows]
    made = pd.DataFrame(body, columns=["dictionary", "what it is", "L0", *table.heads])
    text: str = made.to_markdown(index=False, disable_numparse=True)
    return "\n\n".join([f"### {markdown(table.title)}", f"{markdown(' · '.join(table.facts))}.", text])


def _table(key: tuple[str, str, str, str], results: list[PublishedResult], l0: Sparsities) -> PublishedTable:
    eval_type, model, hook, version = key
    sparsity = {id(one): l0.get((*one.key, one.version)) for one in results}

    def order(one: PublishedResult) -> tuple[str, int, float, tuple[str, str], str]:
        return one.architecture, one.d_sae or 0, sparsity[id(one)] or 0.0, one.key, one.source

    rows = sorted(results, key=order)
    heads = list(dict.fromkeys(name for one in rows for name in one.headlines if name != "l0"))
    return PublishedTable(
        id=f"published-{slug('-'.join(key))}-{digest(list(key))[:10]}",
        title=plain(f"{eval_type}, {hook} of {model}"),
        facts=(PUBLISHED, f"definitions of {version}", f"{len(rows)} dictionaries", f"source: {_sources(rows)}"),
        heads=tuple(heads),
        rows=tuple(_row(one, sparsity[id(one)], heads) for one in rows),
        results=tuple(rows),
        sparsities=tuple(sparsity[id(one)] for one in rows),
    )


def _sources(rows: Sequence[PublishedResult]) -> str:
    """Releases and files that the numbers are from."""
    releases, files = (sorted({plain(getattr(one, name), 60) for one in rows} - {""}) for name in ("release", "source"))
    told = ", ".join(files[:3]) + (f" and {len(files) - 3} more files" if len(files) > 3 else "")
    return ", ".join(releases) + (f" in {told}" if told else "")


def _row(one: PublishedResult, l0: float | None, heads: Sequence[str]) -> tuple[str, ...]:
    width = "" if one.d_sae is None else f"{one.d_sae} latents"
    what = plain(" · ".join(filter(None, (one.architecture, width)))) or MISSING
    values = (one.metrics.get(name) for name in heads)
    texts = [MISSING if found is None or found.value is None else number(found.value, 4) for found in values]
    return plain(f"{one.release} {one.sae_id}", 160), what, MISSING if l0 is None else number(l0, 1), *texts


def _line(one: PublishedResult, l0: float | None, name: str, found: PublishedNumber) -> dict[str, Any]:
    texts = {
        "status": PUBLISHED, "version": one.version, "eval": one.eval_type, "model": one.model, "hook": one.hook,
        "release": one.release, "sae_id": one.sae_id, "architecture": one.architecture, "source": one.source,
    }  # fmt: skip
    shown = {key: sheet(plain(value, 400)) for key, value in texts.items()}
    reason = None if found.reason is None else sheet(found.reason)
    return shown | {"d_sae": one.d_sae, "l0": l0, "metric": name, "value": found.value, "reason": reason}
