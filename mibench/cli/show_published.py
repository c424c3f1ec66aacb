"""A result that others published, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import number, plain, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mibench.records.saebench.read import PublishedResult, Version


def results_of(paths: Sequence[str], version: Version | None) -> list[PublishedResult]:
    """Read result files of SAEBench.

    Raises:
        DataError: One is broken, or does not tell which version made it.
    """
    from mibench.records.saebench.read import read_result

    return [read_result(Path(path), version=version) for path in paths]


def print_results(results: Sequence[PublishedResult], *, as_json: bool) -> None:
    """Print results, each marked as what it is."""
    if as_json:
        print_json([_as_json(one) for one in results])
        return
    for one in results:
        _print(one)


def _print(one: PublishedResult) -> None:
    from mibench.records.saebench.read import PUBLISHED

    width = "" if one.d_sae is None else f"{one.d_sae} latents"
    facts = [one.architecture, width, one.hook, one.model]
    print_table(
        [{"metric": name, "value": number(found.value, 4), "note": found.reason or ""} for name, found in _order(one)],
        f"{one.eval_type}: {one.release} {one.sae_id}",
    )
    click.echo(plain(", ".join(filter(None, facts))))
    click.echo(f"{PUBLISHED}; definitions of {one.version}, not comparable with those of others")


def _order(one: PublishedResult) -> list[tuple[str, Any]]:
    first = one.headlines
    return [(name, one.metrics[name]) for name in [*first, *(name for name in one.metrics if name not in first)]]


def _as_json(one: PublishedResult) -> dict[str, Any]:
    from mibench.records.saebench.read import PUBLISHED

    names = ("eval_type", "release", "sae_id", "version", "model", "hook", "architecture", "d_sae", "source")
    metrics = {name: {"value": found.value, "reason": found.reason} for name, found in one.metrics.items()}
    return {"status": PUBLISHED} | {name: getattr(one, name) for name in names} | {"metrics": metrics}
