"""The tables of a run: one of all circuits, and one for each causal variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from mibench.cli.report import estimate, number
from mibench.cli.shown import COLUMNS, MEASURED, chosen_site
from mibench.core.specs import MethodRef, ModelRef, Track
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.again.against import ground_of
from mibench.runner.grounds import NO_MODEL
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings

Good = list[tuple[Job, RunRecord]]
Rows = list[dict[str, Any]]

_BOUNDS = {Track.CIRCUIT: ("floor", "ceiling"), Track.VARIABLE: ("floor",), Track.SAE: ("floor", "ceiling")}
"""Rows below the methods: what an uninformed method reaches (no intervention, for a variable), and the best one."""


def tables(good: Good, settings: RunSettings, store: Store) -> list[tuple[str, Rows]]:
    """The titles and rows of a run's tables; methods on one ground stand together."""
    if good[0][1].cell.track is Track.CIRCUIT:
        return [(_title(good, settings), _rows(good, store))]
    grounds: dict[object, Good] = {}
    for job, record in good:
        where = record.cell.variable or record.cell.dictionary
        grounds.setdefault((ground_of(record), where), []).append((job, record))
    return [(_ground_title(own[0][1]), _without_ground(_rows(own, store))) for own in grounds.values()]


def _without_ground(rows: Rows) -> Rows:
    return [{key: value for key, value in row.items() if key not in {"task", "model"}} for row in rows]


def _ground_title(record: RunRecord) -> str:
    return _variable_title(record) if record.cell.variable else _dictionary_title(record)


def _dictionary_title(record: RunRecord) -> str:
    cell, where = record.cell, record.cell.dictionary
    if where is None or cell.model.name == NO_MODEL:
        return f"{cell.task.name}: {cell.task.split} split, {cell.task.limit} examples, convention {cell.convention}"
    place = where.hook if where.output is None else f"{where.hook} to {where.output}"
    return (
        f"{cell.task.name} on {cell.model.name}, {place}: {cell.task.split} split, {cell.task.limit} examples, "
        f"convention {cell.convention}"
    )


def _variable_title(record: RunRecord) -> str:
    cell = record.cell
    where = cell.variable
    if where is None:
        return cell.task.name
    oracle = " (oracle positions)" if where.oracle else ""
    places = f"{where.component} at {', '.join(where.positions)}{oracle}"
    return (
        f"{where.name} in {cell.task.name} on {cell.model.name}: {places}; "
        f"{cell.task.split} split, {cell.task.limit} rows before the filter, convention {cell.convention}"
    )


def _title(good: Good, settings: RunSettings) -> str:
    examples = sorted({record.cell.task.limit or 0 for _, record in good})
    return (
        f"{settings.split} split, {' / '.join(map(str, examples))} examples, {settings.level} level, "
        f"{settings.ablation} ablation, convention {settings.convention}"
    )


def _rows(good: Good, store: Store) -> Rows:
    """One row a method, its seeds together, then floor and ceiling; the same for every task and model."""
    grounds: dict[tuple[object, ...], dict[tuple[str, str], list[RunRecord]]] = {}
    variants = _variants(good)
    for job, record in good:
        key = (job.ref, variants.get(record.cell.id, ""))
        grounds.setdefault(ground_of(record), {}).setdefault(key, []).append(record)
    rows: Rows = []
    points, labels = any(_point(record) for _, record in good), _labels([record for _, record in good])
    track = good[0][1].cell.track
    columns = COLUMNS[track] | {name: title for name, title in MEASURED[track].items() if _measured(name, good)}
    if track is not Track.CIRCUIT:
        columns = {name: title for name, title in columns.items() if _measured(name, good)}
    for methods in grounds.values():
        own = [
            _row(records, columns, store, points=points) | {"method": _name(records, variant)}
            for (_, variant), records in methods.items()
        ]
        last = next(iter(reversed(methods.values())))[0]
        rows += [row | {"model": labels[last.cell.model]} for row in [*own, *_bounds(last, list(own[0]), columns)]]
    return rows


def _labels(records: list[RunRecord]) -> dict[ModelRef, str]:
    """Names of models; one that was loaded in several ways is named with them."""
    models = dict.fromkeys(record.cell.model for record in records)
    ways = Counter(model.name for model in models)
    return {one: one.name if ways[one.name] == 1 else f"{one.name}, {one.dtype}, {one.attention}" for one in models}


def _measured(name: str, good: Good) -> bool:
    return any(name in record.metrics and record.metrics[name].value is not None for _, record in good)


def _row(records: list[RunRecord], columns: Mapping[str, str], store: Store, *, points: bool) -> dict[str, Any]:
    records = list({record.cell.id: record for record in records}.values())
    cell, costs = records[0].cell, [cost for record in records if (cost := record.volatile.discovery) is not None]
    return {
        "method": cell.method.name,
        "task": cell.task.name,
        "model": cell.model.name,
        **{title: _number(name, records) for name, title in columns.items()},
        **({"faithfulness": _point(records[0])} if points else {}),
        **({"chosen site": chosen_site(records[0], store)} if cell.variable else {}),
        "passes": f"{sum(cost.forward_passes + cost.backward_passes for cost in costs):.0f}" if costs else "-",
        "seconds": f"{sum(cost.seconds for cost in costs):.1f}" if costs else "-",
        "id": records[0].cell.id[:8],
    }


def _variants(good: Good) -> dict[str, str]:
    """What tells the variants of a method apart, by cell: the parameters in which they differ."""
    by_method: dict[str, Good] = {}
    for job, record in good:
        by_method.setdefault(job.ref, []).append((job, record))
    found = {}
    for own in by_method.values():
        values = {name: {str(job.params.get(name)) for job, _ in own} for job, _ in own for name in job.params}
        names = [name for name, several in values.items() if len(several) > 1]
        for job, record in own:
            found[record.cell.id] = "".join(f" {name}={job.params.get(name)}" for name in names)
    return found


def _name(records: list[RunRecord], variant: str) -> str:
    """The method with what tells it from its variants, and how many seeds it has."""
    method, n_seeds = records[0].cell.method, len({record.cell.id for record in records})
    return f"{method.name}{variant}{_rule(method)}{f', {n_seeds} seeds' if n_seeds > 1 else ''}"


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


def _bounds(record: RunRecord, row: list[str], columns: Mapping[str, str]) -> Rows:
    first = COLUMNS[record.cell.track] or MEASURED[record.cell.track]
    shown = [name for name in columns if name in first and name in record.metrics]
    found = {
        bound: {name: getattr(record.metrics[name], bound) for name in shown} for bound in _BOUNDS[record.cell.track]
    }
    return [
        dict.fromkeys(row, "")
        | {"method": bound, "task": record.cell.task.name, "model": record.cell.model.name}
        | {columns[name]: number(value) for name, value in values.items()}
        for bound, values in found.items()
    ]
