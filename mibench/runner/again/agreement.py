"""Does a repeat of a cell agree with its record? Every metric, curve and table, number by number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mibench.core.specs import Track
from mibench.records.record import CurvePoint, MetricValue, RunRecord
from mibench.records.store import Store

Verdict = Literal["match", "drift", "mismatch"]

_POINT = ("fraction", "n_requested", "n_edges", "weighted_edges", "value", "ci_low", "ci_high")


@dataclass(frozen=True)
class Gap:
    """A place where record and repeat differ.

    Attributes:
        where: The place.
        difference: |record − repeat| / max(1, |record|); None: one of them is no number, or is not there.
    """

    where: str
    difference: float | None


@dataclass(frozen=True)
class Agreement:
    """How a repeat agrees with its record.

    Attributes:
        verdict: Everything is equal, equal within the tolerance, or not.
        largest: The largest difference; None: everything is equal.
        left_out: Metrics that are not compared, since their formula has another version now.
    """

    verdict: Verdict
    largest: Gap | None = None
    left_out: tuple[str, ...] = ()


def agreement(record: RunRecord, stored: Store, repeat: RunRecord, repeated: Store, *, tolerance: float) -> Agreement:
    """Compare what a record has with a repeat of its cell.

    What rests on other cells is left out: floors and ceilings of circuits, and how often the test split was looked at.
    What the repeat has besides, such as a metric that is younger than the record, is left out too.

    Args:
        record: The record.
        stored: Store with its tables.
        repeat: Record of the repeat.
        repeated: Store with its tables.
        tolerance: Largest relative difference of a drift.

    Raises:
        StoreError: A table is missing or damaged.
    """
    names = [name for name in record.metrics if _comparable(record, repeat, name)]
    gaps = [gap for name in names for gap in _of_metric(name, record, repeat)]
    gaps += [gap for name in record.curves for gap in _of_curve(name, record.curves[name], repeat.curves.get(name, []))]
    for name, ref in record.tables.items():
        if name not in repeat.tables:
            gaps.append(Gap(f"table {name}: the repeat has none", None))
        elif repeat.tables[name].sha256 != ref.sha256:
            gaps += _of_table(name, stored.table(record, name), repeated.table(repeat, name))
    left_out = tuple(sorted(record.metrics.keys() - set(names)))
    return Agreement(*_judged(gaps, tolerance), left_out=left_out)


def _comparable(record: RunRecord, repeat: RunRecord, name: str) -> bool:
    return name not in repeat.metrics or repeat.metrics[name].version == record.metrics[name].version


def _judged(gaps: Sequence[Gap], tolerance: float) -> tuple[Verdict, Gap | None]:
    if not gaps:
        return "match", None
    largest = max(gaps, key=lambda gap: np.inf if gap.difference is None else gap.difference)
    within = largest.difference is not None and largest.difference <= tolerance
    return "drift" if within else "mismatch", largest


def _of_metric(name: str, record: RunRecord, repeat: RunRecord) -> Iterator[Gap]:
    one, other = record.metrics[name], repeat.metrics.get(name)
    if other is None:
        yield Gap(f"metric {name}: the repeat has none", None)
        return
    # The floors and ceilings of circuits are measured by other cells.
    ends = () if record.cell.track is Track.CIRCUIT else ("floor", "ceiling")
    yield from _of_fields(f"metric {name}", one, other, ("value", "ci_low", "ci_high", "n", *ends))


def _of_curve(name: str, points: Sequence[CurvePoint], others: Sequence[CurvePoint]) -> Iterator[Gap]:
    if len(points) != len(others):
        yield Gap(f"curve {name}: {len(points)} points, {len(others)} in the repeat", None)
        return
    for one, other in zip(points, others, strict=True):
        yield from _of_fields(f"curve {name} at {one.fraction:g}", one, other, _POINT)


Part = MetricValue | CurvePoint


def _of_fields(where: str, one: Part, other: Part, names: Sequence[str]) -> Iterator[Gap]:
    for name in names:
        first, second = getattr(one, name), getattr(other, name)
        if first != second:
            known = first is not None and second is not None
            yield Gap(f"{where}, {name}", abs(first - second) / max(1.0, abs(first)) if known else None)


def _of_table(name: str, one: pd.DataFrame, other: pd.DataFrame) -> Iterator[Gap]:
    if len(one) != len(other):
        yield Gap(f"table {name}: {len(one)} rows, {len(other)} in the repeat", None)
        return
    for column in one.columns:
        where = f"table {name}, column {column}"
        if column not in other.columns:
            yield Gap(f"{where}: the repeat has none", None)
        else:
            yield from _of_column(where, one[column], other[column])


def _of_column(where: str, one: pd.Series, other: pd.Series) -> Iterator[Gap]:
    """The largest difference of a column; the first of those that are no numbers."""
    numeric = all(pd.api.types.is_numeric_dtype(side) and not pd.api.types.is_bool_dtype(side) for side in (one, other))
    if not numeric:
        unlike = (one.ne(other) & ~(one.isna() & other.isna())).to_numpy(dtype=np.bool_)
        if unlike.any():
            yield Gap(f"{where}, row {int(unlike.argmax())}", None)
        return
    a, b = one.to_numpy(dtype=np.float64, na_value=np.nan), other.to_numpy(dtype=np.float64, na_value=np.nan)
    if (unlike := np.isnan(a) != np.isnan(b)).any():
        yield Gap(f"{where}, row {int(unlike.argmax())}", None)
        return
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | np.isnan(a), 0.0, np.abs(a - b) / np.maximum(1.0, np.abs(a)))
    if apart.any():
        row = int(apart.argmax())
        yield Gap(f"{where}, row {row}", float(apart[row]) if np.isfinite(apart[row]) else None)
