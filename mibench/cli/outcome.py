"""What a run came to: the table, the comparisons, what failed, and the exit status."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from mibench.cli.report import estimate, print_error, print_json, print_table
from mibench.core.errors import MibenchError
from mibench.metrics.circuit import MetricDifference
from mibench.models.catalogue import CATALOGUE
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.against import SHOWN, Comparison, comparisons
from mibench.runner.execute import Report
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings

_COLUMNS = ("distance_absolute", "cmd", "cpr", "area_bounded_absolute")


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
        print_table([_row(job, record) for job, record in good], _title(good, settings))
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


def _row(job: Job, record: RunRecord) -> dict[str, Any]:
    cost = record.volatile.cost
    seed = "" if record.cell.method.seed is None else f" #{record.cell.method.seed}"
    metrics = {name: record.metrics[name] for name in _COLUMNS if name in record.metrics}
    return {
        "method": f"{record.cell.method.name}{seed}",
        "task": record.cell.task.name,
        "model": job.model if len(job.model) < 24 else record.cell.model.name,
        **{name: estimate(value.value, value.ci_low, value.ci_high) for name, value in metrics.items()},
        "floor (distance)": f"{floor:.3f}" if (floor := metrics["distance_absolute"].floor) is not None else "",
        "passes": "" if cost is None else f"{cost.forward_passes:.0f}F {cost.backward_passes:.0f}B",
        "seconds": "" if cost is None else f"{cost.seconds:.1f}",
    }


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
