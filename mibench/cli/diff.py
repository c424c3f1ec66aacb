"""``mibench diff``: what differs between two records."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mibench.cli.report import DEFAULT_RECORDS, estimate, json_option, number, plain, print_json, print_table

if TYPE_CHECKING:
    from mibench.records.difference import Difference, MetricGap, RecordDifference
    from mibench.records.record import MetricValue

_EXAMPLE = """Example:

\b
    mibench diff 3fa94c 81be02 --records runs/first
    mibench diff runs/first/circuit/ioi/gpt2/eap/3fa94c….json runs/second/circuit/ioi/gpt2/eap/81be02….json --json
"""
_DIGEST = re.compile(r"[0-9a-f]{32,64}")
_FILES = ("tables", "artifact", "dictionary")
_SHOWN_DIGITS = 8
_SHOWN_CHARACTERS = 60


@click.command(epilog=_EXAMPLE)
@click.argument("first", metavar="RECORD")
@click.argument("second", metavar="RECORD")
@click.option("--records", "folder", default=DEFAULT_RECORDS, show_default=True, help="Folder to find ids in.")
@json_option
def command(first: str, second: str, folder: str, *, as_json: bool) -> None:
    """Say what differs between two records.

    RECORD is the path of a record, or the beginning of a cell id in the folder of --records. First what fixes the
    numbers (convention, versions, digests, parameters, seed, limits), then where the records were made, then the
    metrics whose numbers differ. It is no failure if something does.
    """
    from mibench.cli.find import find_record
    from mibench.records.difference import record_difference

    found = record_difference(find_record(first, folder), find_record(second, folder))
    if as_json:
        print_json(_as_json(found))
        return
    click.echo(plain(_line(found)))
    _print_metrics(found)


def _as_json(found: RecordDifference) -> dict[str, Any]:
    groups = {name: [asdict(one) for one in getattr(found, name)] for name in _GROUPS}
    metrics = [
        {"metric": gap.name, "first": _value(gap.first), "second": _value(gap.second), "difference": gap.difference}
        for gap in found.metrics
    ]
    return {"same_cell": found.same_cell, **groups, "metrics": metrics}


_GROUPS = ("cell", "versions", "outcome", "environment")


def _value(metric: MetricValue | None) -> float | None:
    return None if metric is None else metric.value


def _line(found: RecordDifference) -> str:
    """What differs, in one line."""
    head = "the same cell" if found.same_cell else f"differs: {_words(found.cell)}"
    parts = [head]
    if found.versions:
        parts.append(f"formulas: {_words(found.versions)}")
    # The files of two cells are other ones anyway.
    outcome = [one for one in found.outcome if found.same_cell or not one.where.startswith(_FILES)]
    if outcome:
        parts.append(f"outcome: {_words(outcome)}")
    if found.environment:
        parts.append(f"made: {_words(found.environment)}")
    return " | ".join(parts)


def _words(differences: Sequence[Difference]) -> str:
    return "; ".join(f"{one.where} {_brief(one.first)} → {_brief(one.second)}" for one in differences)


def _brief(value: object) -> str:
    if isinstance(value, str) and _DIGEST.fullmatch(value):
        return value[:_SHOWN_DIGITS]
    text = "none" if value is None else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _print_metrics(found: RecordDifference) -> None:
    rows = [_row(gap) for gap in found.metrics if not gap.equal]
    if rows:
        print_table(rows, "Metrics (difference: first − second)")
    equal = len(found.metrics) - len(rows)
    click.echo(f"{equal} of {len(found.metrics)} metrics have the same number in both, or in neither.")


def _row(gap: MetricGap) -> dict[str, str]:
    sides = [gap.first, gap.second]
    first, second = (
        "-" if side is None or side.value is None else estimate(side.value, side.ci_low, side.ci_high) for side in sides
    )
    return {"metric": gap.name, "first": first, "second": second, "difference": number(gap.difference, digits=6)}
