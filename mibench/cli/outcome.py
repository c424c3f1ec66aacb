"""What a run came to: the table, the comparisons, what failed, and the exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from mibench.cli.outcome_rows import tables
from mibench.cli.report import estimate, plain, print_error, print_json, print_table
from mibench.cli.shown import COLUMNS, COMPARED, MEASURED
from mibench.core.errors import MibenchError
from mibench.core.specs import Track
from mibench.metrics.circuit import MetricDifference
from mibench.models.known import note_of
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.again.against import Comparison, comparisons
from mibench.runner.execute import Report
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings


def finish(report: Report, settings: RunSettings, *, as_json: bool, notes: Sequence[str] = ()) -> None:
    """Print what a run came to, with ``notes``, and leave with its exit status: 1 if anything failed."""
    store, against = Store(settings.out), settings.against
    compared = comparisons(report.jobs, against, store, settings.method) if against else []
    notes = [*notes, *_notes(report)]
    if as_json:
        print_json(_as_json(report, compared) | {"notes": notes})
    else:
        _print(report, settings, compared, notes)
    if report.failed:
        sys.exit(1)


def _as_json(report: Report, compared: list[Comparison]) -> dict[str, Any]:
    return {
        "records": [
            {"id": record.cell.id, "reused": record.cell.id in report.reused, "floor_only": job.control}
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


def _print(report: Report, settings: RunSettings, compared: list[Comparison], notes: list[str]) -> None:
    shown = [(job, record) for job, record in report.jobs if not job.control]
    good = [(job, record) for job, record in shown if record.status == "ok"]
    if good:
        for title, rows in tables(good, settings, Store(settings.out)):
            print_table(rows, title)
        over = "(mibench show says over what)" if good[0][1].cell.track is Track.SAE else "over examples"
        click.echo(
            f"[…]: 95 % interval {over}; (…): range over seeds, of which the mean is shown; "
            "passes and seconds: of the method, scoring left out"
        )
    for note in notes:
        click.echo(f"note: {plain(note)}")
    for one in compared:
        _print_comparison(one)
    for word, found in (("skipped", _skips(report)), ("failed", _failures(report))):
        for error, labels in found:
            more = f" and {len(labels) - 3} more" if len(labels) > 3 else ""
            click.echo(f"\n{word}: {', '.join(labels[:3])}{more}", err=True)
            print_error(error)
    if not report.jobs and not report.problems:
        click.echo(f"Nothing was run: there is no {settings.only} cell.")
    elif report.jobs:
        click.echo(f"records: {settings.out}")


def _print_comparison(one: Comparison) -> None:
    cell = one.first.cell
    names = [
        f"{record.cell.method.name}{f' (seed {record.cell.method.seed} of {seeds})' if seeds > 1 else ''}"
        for record, seeds in zip((one.first, one.second), one.seeds, strict=True)
    ]
    shown = [name for name in COMPARED[cell.track] if _speaks(one.differences.get(name))]
    title = f"{names[0]} − {names[1]} on {cell.task.name}, {cell.model.name} (paired, 95 %)"
    print_table([_difference(name, one) for name in shown], title)
    for reason in dict.fromkeys(one.differences[name].reason for name in shown):
        if reason:
            click.echo(f"note: no verdict: {plain(reason)}")


def _notes(report: Report) -> list[str]:
    """What must be said with the numbers, each thing once."""
    good = [(job, record) for job, record in report.jobs if not job.control and record.status == "ok"]
    found = sorted({_note(record) for _, record in good} - {""})
    found += sorted({_other_ablation(record) for _, record in good} - {""})
    for job, record in good:
        if record.cell.task.split == "validation" and "validation" in job.method.needs:
            found.append(
                f"{job.method.name} chose parameters on the rows that are scored; --split test looks at others"
            )
        if job.task.endswith(".jsonl"):
            found.append(f"{record.cell.task.name}: train, validation and test are the same file: not held out")
        found += _gaps(record)
    return list(dict.fromkeys(found))


def _gaps(record: RunRecord) -> list[str]:
    """Why numbers of the table, or their intervals, are not there; of dictionaries with the columns it is about."""
    track = record.cell.track
    columns = COLUMNS[track] | (MEASURED[track] if track is Track.SAE else {})
    said: dict[str, list[str]] = {}
    for name, title in columns.items():
        metric = record.metrics.get(name)
        if metric is not None and metric.reason:
            said.setdefault(f"no number: {metric.reason}", []).append(title.partition(" (")[0])
        elif metric is not None and metric.ci_reason:
            said.setdefault(f"no interval: {metric.ci_reason}", []).append(title.partition(" (")[0])
    if track is not Track.SAE:
        return list(said)
    return [f"{note} ({', '.join(titles)})" for note, titles in said.items()]


def _other_ablation(record: RunRecord) -> str:
    """What to say of a method that compares with other values than its circuits are scored with."""
    cell = record.cell
    own = cell.method.params.get("ablation")
    if own is None or cell.ablation is None or own == cell.ablation:
        return ""
    return (
        f"{cell.method.name} was discovered with {own} and scored with {cell.ablation} ablation; "
        f"--set ablation={cell.ablation} makes them the same"
    )


def _failures(report: Report) -> list[tuple[MibenchError, list[str]]]:
    """What failed, each reason once, with the jobs that it stopped."""
    return _by_reason([*report.problems, *_problems(report, "failed")])


def _skips(report: Report) -> list[tuple[MibenchError, list[str]]]:
    """What could not run here, likewise."""
    return _by_reason(_problems(report, "skipped"))


def _problems(report: Report, status: str) -> list[tuple[Job, MibenchError]]:
    return [
        (job, MibenchError(record.problem.what, why=record.problem.why, do=record.problem.do))
        for job, record in report.jobs
        if record.problem is not None and record.status == status
    ]


def _by_reason(found: list[tuple[Job, MibenchError]]) -> list[tuple[MibenchError, list[str]]]:
    reasons: dict[tuple[str, str], tuple[MibenchError, list[str]]] = {}
    for job, error in found:
        reasons.setdefault((error.what, error.why), (error, []))[1].append(job.label)
    return list(reasons.values())


def _note(record: RunRecord) -> str:
    name = record.cell.model.name
    note = note_of(name)
    return f"{name}: {note}" if note else ""


def _speaks(found: MetricDifference | None) -> bool:
    """Whether a difference is there, or misses for a reason that is not the metric's own absence."""
    return found is not None and (found.difference is not None or "not measured" not in (found.reason or ""))


def _difference(name: str, one: Comparison) -> dict[str, Any]:
    found: MetricDifference = one.differences[name]
    costs = [record.volatile.discovery for record in (one.first, one.second)]
    seconds = " / ".join("?" if cost is None else f"{cost.seconds:.1f} s" for cost in costs)
    return {
        "metric": name,
        "difference": estimate(found.difference, found.ci_low, found.ci_high),
        "verdict": found.verdict or "-",
        "cost": seconds,
    }
