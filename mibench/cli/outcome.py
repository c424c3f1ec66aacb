"""What a run came to: the table, the comparisons, what failed, and the exit status."""

from __future__ import annotations

import sys
from dataclasses import asdict
from statistics import fmean
from typing import Any

import click

from mibench.cli.report import estimate, number, print_error, print_json, print_table
from mibench.core.errors import MibenchError
from mibench.metrics.circuit import MetricDifference
from mibench.models.catalogue import CATALOGUE
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.against import SHOWN, Comparison, comparisons
from mibench.runner.execute import Report
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings

_COLUMNS = {"distance_absolute": "distance (low)", "cmd": "CMD (low)", "cpr": "CPR (high)"}
"""Metrics of the table, with their titles and which way is better."""


def finish(report: Report, settings: RunSettings, *, as_json: bool) -> None:
    """Print what a run came to and leave with its exit status: 1 if anything failed."""
    compared = comparisons(report.jobs, settings.against, Store(settings.out)) if settings.against else []
    if as_json:
        print_json(_as_json(report, compared))
    else:
        _print(report, settings, compared)
    if report.failed:
        sys.exit(1)


def _as_json(report: Report, compared: list[Comparison]) -> dict[str, Any]:
    return {
        "records": [
            {"id": record.cell.id, "reused": record.cell.id in report.reused, "floor_only": job.floor}
            | record.model_dump(mode="json")
            for job, record in report.jobs
        ],
        "comparisons": [
            {
                "task": one.first.cell.task.name,
                "model": one.first.cell.model.name,
                "first": one.first.cell.method.name,
                "second": one.second.cell.method.name,
                "differences": {name: asdict(value) for name, value in one.differences.items()},
            }
            for one in compared
        ],
        "problems": [
            {"job": job.label, "what": error.what, "why": error.why, "do": error.do} for job, error in report.problems
        ],
    }


def _print(report: Report, settings: RunSettings, compared: list[Comparison]) -> None:
    shown = [(job, record) for job, record in report.jobs if not job.floor]
    good = [(job, record) for job, record in shown if record.status == "ok"]
    if good:
        print_table(_rows(good), _title(good, settings))
        click.echo("[…]: 95 % interval over examples; (…): range over seeds, of which the mean is shown")
        for note in sorted({_note(record) for _, record in good} - {""}):
            click.echo(f"note: {note}")
    for one in compared:
        names = (one.first.cell.method.name, one.second.cell.method.name)
        title = f"{names[0]} − {names[1]} on {one.first.cell.task.name}, {one.first.cell.model.name} (paired, 95 %)"
        print_table([_difference(name, one) for name in SHOWN if name in one.differences], title)
    for error, labels in _failures(report):
        more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
        click.echo(f"\nfailed: {', '.join(labels[:3])}{more}", err=True)
        print_error(error)
    if not report.jobs and not report.problems:
        click.echo(f"Nothing was run: there is no {settings.only} cell.")
    elif report.jobs:
        click.echo(f"records: {settings.out}")


def _failures(report: Report) -> list[tuple[MibenchError, list[str]]]:
    """What failed, each reason once, with the jobs that it stopped."""
    found = list(report.problems)
    for job, record in report.jobs:
        if record.problem is not None:
            problem = record.problem
            found.append((job, MibenchError(problem.what, why=problem.why, do=problem.do)))
    reasons: dict[tuple[str, str], tuple[MibenchError, list[str]]] = {}
    for job, error in found:
        reasons.setdefault((error.what, error.why), (error, []))[1].append(job.label)
    return list(reasons.values())


def _title(good: list[tuple[Job, RunRecord]], settings: RunSettings) -> str:
    examples = sorted({record.cell.task.limit or 0 for _, record in good})
    return (
        f"{settings.split} split, {' / '.join(map(str, examples))} examples, {settings.level} level, "
        f"{settings.ablation} ablation, convention {settings.convention}"
    )


def _note(record: RunRecord) -> str:
    name = record.cell.model.name
    return f"{name}: {CATALOGUE[name].note}" if name in CATALOGUE and CATALOGUE[name].note else ""


def _rows(good: list[tuple[Job, RunRecord]]) -> list[dict[str, Any]]:
    """One row a method, its seeds together, then floor and ceiling; the same for every task and model."""
    grounds: dict[tuple[str, str], dict[str, list[RunRecord]]] = {}
    for job, record in good:
        grounds.setdefault((job.task, job.model), {}).setdefault(job.ref, []).append(record)
    rows = []
    for methods in grounds.values():
        rows += [_row(records) for records in methods.values()]
        rows += _bounds(next(iter(reversed(methods.values())))[0])
    return rows


def _row(records: list[RunRecord]) -> dict[str, Any]:
    cell, costs = records[0].cell, [record.volatile.cost for record in records if record.volatile.cost is not None]
    seeds = f", {len(records)} seeds" if len(records) > 1 else ""
    return {
        "method": f"{cell.method.name}{seeds}",
        "task": cell.task.name,
        "model": cell.model.name,
        **{title: _number(name, records) for name, title in _COLUMNS.items()},
        "passes": f"{sum(cost.forward_passes + cost.backward_passes for cost in costs):.0f}",
        "seconds": f"{sum(cost.seconds for cost in costs):.1f}",
    }


def _number(name: str, records: list[RunRecord]) -> str:
    """The number with its interval over examples; of several seeds, the mean and their range."""
    found = [record.metrics[name] for record in records if name in record.metrics]
    values = [one.value for one in found if one.value is not None]
    if len(found) == 1 or not values:
        return estimate(found[0].value, found[0].ci_low, found[0].ci_high) if found else "-"
    return f"{fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _bounds(record: RunRecord) -> list[dict[str, Any]]:
    task, model = record.cell.task.name, record.cell.model.name
    blank = {"passes": "", "seconds": ""}
    return [
        {"method": bound, "task": task, "model": model}
        | {title: number(getattr(record.metrics[name], bound)) for name, title in _COLUMNS.items()}
        | blank
        for bound in ("floor", "ceiling")
    ]


def _difference(name: str, one: Comparison) -> dict[str, Any]:
    found: MetricDifference = one.differences[name]
    costs = [record.volatile.cost for record in (one.first, one.second)]
    seconds = " / ".join("?" if cost is None else f"{cost.seconds:.1f} s" for cost in costs)
    return {
        "metric": name,
        "difference": estimate(found.difference, found.ci_low, found.ci_high),
        "verdict": found.verdict or found.reason or "",
        "cost": seconds,
    }
