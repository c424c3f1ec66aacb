"""Compute the metrics of records again from their stored tables: no model, no method, no torch.

A number whose formula has a new version is replaced, and the former one is kept beside it. A number whose formula has
its old version must come out as it was; where it does not, the record is left as it is, and that is told.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from mibench.core.errors import DataError, MibenchError, StoreError
from mibench.core.files import is_file
from mibench.core.specs import Track
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.metrics.truth.edge_scores import edge_truth_metrics
from mibench.metrics.truth.sites import site_truth_metrics
from mibench.metrics.variable.scores import variable_metrics
from mibench.metrics.variable.tables import VariableTables
from mibench.records.record import CurvePoint, FormerValue, MetricValue, RunRecord
from mibench.records.store import Store
from mibench.runner.again.rescore_floors import Controls, controls_of, with_controls_of

SAME = 1e-9
"""Relative difference within which another machine's arithmetic gives the same number."""
_TABLES = {Track.CIRCUIT: ("examples", "endpoints"), Track.VARIABLE: ("examples", "noop", "selection")}
_NUMBERS = ("value", "ci_low", "ci_high")
_TRUTH = "truth"

Kind = Literal["version", "new", "text"]
Metrics = dict[str, MetricValue]
Curves = dict[str, list[CurvePoint]]


@dataclass(frozen=True)
class Change:
    """A metric that is not as it was.

    Attributes:
        metric: Its name.
        kind: Its formula has a new version, the record did not have it, or only its words differ.
        before: As it was; None: not there.
        after: As it is.
    """

    metric: str
    kind: Kind
    before: MetricValue | None
    after: MetricValue


@dataclass(frozen=True)
class Rescored:
    """What became of a record.

    Attributes:
        record: The record, with its metrics computed again.
        changes: What is not as it was; empty: the file has the same bytes.
        problem: Why the record is left as it is.
    """

    record: RunRecord
    changes: tuple[Change, ...] = ()
    problem: MibenchError | None = None

    @property
    def written(self) -> bool:
        """Whether the record is to be written."""
        return self.problem is None and bool(self.changes)


def obstacle(record: RunRecord, store: Store) -> MibenchError | None:
    """Why a record's metrics cannot be computed from its tables; None: they can, as far as names of files tell."""
    do = f"Run its cell again: mibench reproduce {record.cell.id}."
    what = f"{record.cell.method.name} ({record.cell.id[:8]}) cannot be rescored."
    if record.problem is not None:
        return DataError(what, why=f"It has no numbers: {record.problem.what}", do="Run its cell again.")
    if record.cell.track not in _TABLES:
        why = "Metrics of dictionaries are computed with the model, and its tables do not hold what they need."
        return DataError(what, why=why, do=do)
    for name in _TABLES[record.cell.track]:
        if name not in record.tables:
            return DataError(what, why=f"It has no table '{name}'.", do=do)
    for ref in record.tables.values():
        if not is_file(store.path(record.cell).with_name(ref.file)):
            return StoreError(what, why=f"Its table {ref.file} is not beside it.", do=f"Fetch the table. {do}")
    return None


def rescore(found: Sequence[tuple[RunRecord, Store]]) -> Iterator[Rescored]:
    """Compute the metrics of records again, one after another; nothing is written.

    Floors and ceilings of a changed formula come from the controls in the same store.

    Args:
        found: Records without an obstacle, with the stores that their tables lie in.
    """
    stores: dict[str, _Fresh] = {}
    for record, store in found:
        fresh = stores.setdefault(str(store.folder.resolve()), _Fresh(store))
        try:
            yield _rescored(record, fresh)
        except MibenchError as error:
            yield Rescored(record, problem=error)


@dataclass
class _Fresh:
    """Metrics of the records of a store, each computed once."""

    store: Store
    _known: dict[str, tuple[Metrics, Curves]] = field(default_factory=dict)
    _others: list[RunRecord] | None = None

    def of(self, record: RunRecord) -> tuple[Metrics, Curves]:
        """Metrics and curves of a record, without measured floors."""
        if record.cell.id not in self._known:
            self._known[record.cell.id] = _computed(record, self.store)
        return self._known[record.cell.id]

    def controls(self, record: RunRecord) -> Controls:
        """The controls of a record that the store holds."""
        if self._others is None:
            self._others = self.store.query()
        return controls_of(record, self._others)


def _computed(record: RunRecord, store: Store) -> tuple[Metrics, Curves]:
    known = store.table(record, _TRUTH) if _TRUTH in record.tables else None
    if record.cell.track is Track.VARIABLE:
        metrics = variable_metrics(VariableTables.stored(record, store))
        return metrics | ({} if known is None else site_truth_metrics(known)), {}
    metrics, curves = circuit_metrics(*CircuitTables.stored(record, store))
    return metrics | ({} if known is None else edge_truth_metrics(known)), curves


def _rescored(record: RunRecord, fresh: _Fresh) -> Rescored:
    metrics, curves = fresh.of(record)
    _check_not_newer(record, metrics)
    # Other metrics, such as the number of parameters, are of the artifact and stay.
    after = {**record.metrics, **metrics}
    changed = {name for name, one in metrics.items() if _version_of(record, name) != one.version}
    after |= {name: _as_stored(record.metrics[name], metrics[name]) for name in metrics.keys() - changed}
    after |= _controlled(record, {name: metrics[name] for name in changed}, fresh)
    curves_after = _curves(record.curves, curves, moved=bool(changed))
    changes = tuple(
        Change(name, _kind(record.metrics.get(name), one), record.metrics.get(name), one)
        for name, one in after.items()
        if record.metrics.get(name) != one
    )
    rescored = record.model_copy(update={"metrics": after, "curves": curves_after, "volatile": _kept(record, changes)})
    return Rescored(rescored, changes)


def _check_not_newer(record: RunRecord, metrics: Metrics) -> None:
    newer = [name for name, one in metrics.items() if (_version_of(record, name) or 0) > one.version]
    if newer:
        raise DataError(
            "The record is of a newer mibench.",
            why=f"Version {_version_of(record, newer[0])} of {newer[0]} is not known here.",
            do="Upgrade mibench: pip install --upgrade mibench.",
        )


def _version_of(record: RunRecord, name: str) -> int | None:
    return record.metrics[name].version if name in record.metrics else None


def _kind(before: MetricValue | None, after: MetricValue) -> Kind:
    if before is None:
        return "new"
    return "text" if before.version == after.version else "version"


def _as_stored(stored: MetricValue, fresh: MetricValue) -> MetricValue:
    """The metric in today's words with its stored numbers, floor and ceiling.

    Raises:
        DataError: The number is another one, though the version of the formula is the same.
    """
    pairs = [(getattr(stored, name), getattr(fresh, name)) for name in _NUMBERS]
    if not all(_close(one, other) for one, other in pairs):
        raise DataError(
            "A number moved though its formula has the same version.",
            why=f"Version {stored.version} gave {pairs[0][0]}, and gives {pairs[0][1]} now "
            f"(interval {pairs[1][0]} to {pairs[2][0]}, now {pairs[1][1]} to {pairs[2][1]}).",
            do="The record is left as it is. Raise the metric's version, or find what else changed.",
        )
    kept = {name: getattr(stored, name) for name in (*_NUMBERS, "floor", "ceiling")}
    return fresh.model_copy(update=kept)


def _controlled(record: RunRecord, metrics: Metrics, fresh: _Fresh) -> Metrics:
    """Metrics with the floors and ceilings that the controls give under the same formulas."""
    if not metrics:
        return {}
    controls = fresh.controls(record)
    draws = [fresh.of(draw)[0] for draw in controls.draws]
    truth = None if controls.truth is None else fresh.of(controls.truth)[0]
    return dict(with_controls_of(record.cell, metrics, draws, truth))


def _curves(stored: Curves, fresh: Curves, *, moved: bool) -> Curves:
    """The curves; as stored where nothing about them changed.

    Raises:
        DataError: A curve is another one, though no formula has a new version.
    """
    after = {**stored, **fresh}
    for name in stored.keys() & fresh.keys():
        if _same_curve(stored[name], fresh[name]):
            after[name] = stored[name]
        elif not moved:
            raise DataError(
                f"The curve {name} moved though every formula has the same version.",
                why="Its points are not those that the record has.",
                do="The record is left as it is. Raise the version of the metrics of that curve.",
            )
    return after


def _same_curve(one: Sequence[CurvePoint], other: Sequence[CurvePoint]) -> bool:
    return len(one) == len(other) and all(
        _close(getattr(a, name), getattr(b, name))
        for a, b in zip(one, other, strict=True)
        for name in ("fraction", "n_requested", "n_edges", *_NUMBERS)
    )


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=SAME, abs_tol=SAME)


def _kept(record: RunRecord, changes: Sequence[Change]) -> object:
    """The volatile part of a record, with the numbers that were replaced."""
    former, now = dict(record.volatile.former), datetime.now(UTC)
    for change in changes:
        if change.kind == "version" and change.before is not None:
            old = change.before
            one = FormerValue(
                version=old.version, value=old.value, ci_low=old.ci_low, ci_high=old.ci_high, replaced_at=now
            )
            former[change.metric] = [*former.get(change.metric, []), one]
    return record.volatile.model_copy(update={"former": former})
