"""One flat row for a record."""

from __future__ import annotations

from mibench.core.hashing import canonical_json
from mibench.records.record import RunRecord

Value = str | int | float | None

COLUMNS = (
    "cell_id", "track", "task", "task_version", "split", "limit", "model", "method", "method_version",
    "params", "seed", "level", "ablation", "convention", "status", "problem",
    "seconds", "peak_bytes", "forward_passes", "backward_passes", "looks_at_test",
)  # fmt: skip
"""Columns that every row has, in order; metrics follow."""


def row(record: RunRecord) -> dict[str, Value]:
    """Return what names the cell, what it cost, and its metrics, one column a number."""
    return _identity(record) | _outcome(record) | _metrics(record)


def _identity(record: RunRecord) -> dict[str, Value]:
    cell = record.cell
    return {
        "cell_id": cell.id,
        "track": cell.track.value,
        "task": cell.task.name,
        "task_version": cell.task.version,
        "split": cell.task.split,
        "limit": cell.task.limit,
        "model": cell.model.name,
        "method": cell.method.name,
        "method_version": cell.method.version,
        "params": canonical_json(cell.method.params).decode(),
        "seed": cell.method.seed,
        "level": cell.level.value if cell.level else None,
        "ablation": cell.ablation.value if cell.ablation else None,
        "convention": cell.convention.value,
    }


def _outcome(record: RunRecord) -> dict[str, Value]:
    cost = record.volatile.cost
    return {
        "status": record.status,
        "problem": record.problem.what if record.problem else None,
        "seconds": cost.seconds if cost else None,
        "peak_bytes": cost.peak_bytes if cost else None,
        "forward_passes": cost.forward_passes if cost else None,
        "backward_passes": cost.backward_passes if cost else None,
        "looks_at_test": record.looks_at_test,
    }


def _metrics(record: RunRecord) -> dict[str, Value]:
    row: dict[str, Value] = {}
    for name, metric in record.metrics.items():
        row[f"metrics.{name}"] = metric.value
        row[f"metrics.{name}.ci_low"] = metric.ci_low
        row[f"metrics.{name}.ci_high"] = metric.ci_high
    return row
