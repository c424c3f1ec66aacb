"""What a run came to: the table, the comparisons, what failed, and the exit status."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

import click

from mibench.cli.report import estimate, number, plain, print_error, print_json, print_table
from mibench.cli.shown import COLUMNS, COMPARED, MEASURED, chosen_site
from mibench.core.errors import MibenchError
from mibench.core.specs import MethodRef, ModelRef, Track
from mibench.metrics.circuit import MetricDifference
from mibench.models.catalogue import CATALOGUE
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.against import Comparison, comparisons, ground_of
from mibench.runner.execute import Report
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings

_BOUNDS = ("floor", "ceiling")


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


def _print(report: Report, settings: RunSettings, compared: list[Comparison], notes: list[str]) -> None:
    shown = [(job, record) for job, record in report.jobs if not job.floor]
    good = [(job, record) for job, record in shown if record.status == "ok"]
    if good:
        print_table(_rows(good, Store(settings.out)), _title(good, settings))
        click.echo(
            "[…]: 95 % interval over examples; (…): range over seeds, of which the mean is shown; "
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
    good = [(job, record) for job, record in report.jobs if not job.floor and record.status == "ok"]
    found = sorted({_note(record) for _, record in good} - {""})
    found += sorted({_other_ablation(record) for _, record in good} - {""})
    for job, record in good:
        if job.task.endswith(".jsonl"):
            found.append(f"{record.cell.task.name}: train, validation and test are the same file: not held out")
        for name in COLUMNS[record.cell.track]:
            metric = record.metrics.get(name)
            if metric is not None and metric.reason:
                found.append(f"no number: {metric.reason}")
            elif metric is not None and metric.ci_reason:
                found.append(f"no interval: {metric.ci_reason}")
    return list(dict.fromkeys(found))


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


def _title(good: list[tuple[Job, RunRecord]], settings: RunSettings) -> str:
    examples = sorted({record.cell.task.limit or 0 for _, record in good})
    ground = f"{settings.split} split, {' / '.join(map(str, examples))}"
    if good[0][1].cell.track is Track.VARIABLE:
        return f"{ground} rows before the filter, {settings.component}, convention {settings.convention}"
    return f"{ground} examples, {settings.level} level, {settings.ablation} ablation, convention {settings.convention}"


def _note(record: RunRecord) -> str:
    name = record.cell.model.name
    return f"{name}: {CATALOGUE[name].note}" if name in CATALOGUE and CATALOGUE[name].note else ""


def _rows(good: list[tuple[Job, RunRecord]], store: Store) -> list[dict[str, Any]]:
    """One row a method, its seeds together, then floor and ceiling; the same for every task and model."""
    grounds: dict[tuple[object, ...], dict[str, list[RunRecord]]] = {}
    for job, record in good:
        grounds.setdefault(ground_of(record), {}).setdefault(job.ref, []).append(record)
    rows: list[dict[str, Any]] = []
    points, labels = any(_point(record) for _, record in good), _labels([record for _, record in good])
    track = good[0][1].cell.track
    columns = COLUMNS[track] | {name: title for name, title in MEASURED[track].items() if _measured(name, good)}
    if track is Track.VARIABLE:
        columns = {name: title for name, title in columns.items() if _measured(name, good)}
    for methods in grounds.values():
        own = [_row(records, columns, store, points=points) for records in methods.values()]
        last = next(iter(reversed(methods.values())))[0]
        rows += [row | {"model": labels[last.cell.model]} for row in [*own, *_bounds(last, list(own[0]), columns)]]
    return rows


def _labels(records: list[RunRecord]) -> dict[ModelRef, str]:
    """Names of models; one that was loaded in several ways is named with them."""
    models = dict.fromkeys(record.cell.model for record in records)
    ways = Counter(model.name for model in models)
    return {one: one.name if ways[one.name] == 1 else f"{one.name}, {one.dtype}, {one.attention}" for one in models}


def _measured(name: str, good: list[tuple[Job, RunRecord]]) -> bool:
    return any(name in record.metrics and record.metrics[name].value is not None for _, record in good)


def _row(records: list[RunRecord], columns: Mapping[str, str], store: Store, *, points: bool) -> dict[str, Any]:
    records = list({record.cell.id: record for record in records}.values())
    cell, costs = records[0].cell, [cost for record in records if (cost := record.volatile.discovery) is not None]
    seeds = f", {len(records)} seeds" if len(records) > 1 else ""
    return {
        "method": f"{cell.method.name}{_rule(cell.method)}{seeds}",
        "task": _task(records[0]),
        "model": cell.model.name,
        **{title: _number(name, records) for name, title in columns.items()},
        **({"faithfulness": _point(records[0])} if points else {}),
        **({"chosen site": chosen_site(records[0], store)} if cell.variable else {}),
        "passes": f"{sum(cost.forward_passes + cost.backward_passes for cost in costs):.0f}" if costs else "-",
        "seconds": f"{sum(cost.seconds for cost in costs):.1f}" if costs else "-",
        "id": records[0].cell.id[:8],
    }


def _task(record: RunRecord) -> str:
    """The task, and the causal variable if there is one."""
    variable = record.cell.variable
    oracle = ", oracle positions" if variable is not None and variable.oracle else ""
    return record.cell.task.name if variable is None else f"{record.cell.task.name}, {variable.name}{oracle}"


def _speaks(found: MetricDifference | None) -> bool:
    """Whether a difference is there, or misses for a reason that is not the metric's own absence."""
    return found is not None and (found.difference is not None or "not measured" not in (found.reason or ""))


def _rule(method: MethodRef) -> str:
    """The selection rule, where it is not the usual one."""
    rule = method.params.get("selection", "top-n")
    return "" if rule == "top-n" else f", {rule}"


def _point(record: RunRecord) -> str:
    """How faithful the one circuit of a binary artifact is, and its size; empty for a ranking."""
    if any(len(curve) != 1 for curve in record.curves.values()) or not record.curves:
        return ""
    point = next(iter(record.curves.values()))[0]
    size = f"{point.fraction:.3f} of the {record.cell.level}s"
    return f"{estimate(point.value, point.ci_low, point.ci_high)} at {size}"


def _number(name: str, records: list[RunRecord]) -> str:
    """The number with its interval over examples; of several seeds, the mean and their range."""
    found = [record.metrics[name] for record in records if name in record.metrics]
    values = [one.value for one in found if one.value is not None]
    if len(found) == 1 or not values:
        return estimate(found[0].value, found[0].ci_low, found[0].ci_high) if found else "-"
    return f"{fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def _bounds(record: RunRecord, row: list[str], columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """What an uninformed method reaches (in the variable track: no intervention), and the best possible one."""
    first = COLUMNS[record.cell.track]
    shown = [name for name in columns if name in first and name in record.metrics]
    found = {bound: {name: getattr(record.metrics[name], bound) for name in shown} for bound in _BOUNDS}
    return [
        dict.fromkeys(row, "")
        | {"method": bound, "task": _task(record), "model": record.cell.model.name}
        | {columns[name]: number(value) for name, value in values.items()}
        for bound, values in found.items()
    ]


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
