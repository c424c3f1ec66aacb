"""What differs between two records: what fixes their numbers, the numbers, and where they were made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mibench.core.hashing import canonical_json
from mibench.core.specs import Cell
from mibench.records.record import MetricValue, Provenance, RunRecord

_NOT_ENVIRONMENT = {"command", "created_at"}


@dataclass(frozen=True)
class Difference:
    """A field that has two values.

    Attributes:
        where: Its names from the outside in, joined by dots.
        first: Value in the first; None: it is not there.
        second: Value in the second, likewise.
    """

    where: str
    first: Any
    second: Any


@dataclass(frozen=True)
class MetricGap:
    """A metric of two records.

    Attributes:
        name: The metric.
        first: What the first has; None: nothing, not even a reason.
        second: What the second has, likewise.
    """

    name: str
    first: MetricValue | None
    second: MetricValue | None

    @property
    def difference(self) -> float | None:
        """First minus second; None where either has no number."""
        if self.first is None or self.second is None or self.first.value is None or self.second.value is None:
            return None
        return self.first.value - self.second.value

    @property
    def equal(self) -> bool:
        """Whether both have the same number, or neither has one."""
        return self._number(self.first) == self._number(self.second)

    @staticmethod
    def _number(metric: MetricValue | None) -> float | None:
        return None if metric is None else metric.value


@dataclass(frozen=True)
class RecordDifference:
    """All that differs between two records.

    Attributes:
        cell: What fixes the numbers; empty for one cell.
        versions: Versions of metric formulas.
        outcome: Status, board, artifact and tables, dictionary.
        environment: Where and how they were made.
        metrics: Every metric of either, by name.
    """

    cell: tuple[Difference, ...]
    versions: tuple[Difference, ...]
    outcome: tuple[Difference, ...]
    environment: tuple[Difference, ...]
    metrics: tuple[MetricGap, ...]

    @property
    def same_cell(self) -> bool:
        """Whether both are records of one cell."""
        return not self.cell


def record_difference(first: RunRecord, second: RunRecord) -> RecordDifference:
    """Lay two records side by side."""
    names = dict.fromkeys([*first.metrics, *second.metrics])
    gaps = tuple(MetricGap(name, first.metrics.get(name), second.metrics.get(name)) for name in names)
    return RecordDifference(
        cell_differences(first.cell, second.cell),
        _differences(_versions(first), _versions(second)),
        _differences(_outcome(first), _outcome(second)),
        environment_differences(first.volatile.provenance, second.volatile.provenance),
        gaps,
    )


def cell_differences(first: Cell, second: Cell) -> tuple[Difference, ...]:
    """The fields in which two cells differ, in the order of the cell; params by name."""
    return _differences(first.model_dump(mode="json"), second.model_dump(mode="json"))


def environment_differences(first: Provenance | None, second: Provenance | None) -> tuple[Difference, ...]:
    """The fields in which two provenances differ, apart from time and command line."""
    return _differences(_environment(first), _environment(second))


def _differences(first: Any, second: Any, where: str = "") -> tuple[Difference, ...]:
    # 5 and 5.0 are equal, and not the same parameter.
    if canonical_json(first) == canonical_json(second):
        return ()
    if not (isinstance(first, Mapping) and isinstance(second, Mapping)):
        return (Difference(where, first, second),)
    names = dict.fromkeys([*first, *second])
    inner = [_differences(first.get(name), second.get(name), f"{where}.{name}".lstrip(".")) for name in names]
    return tuple(one for found in inner for one in found)


def _versions(record: RunRecord) -> dict[str, int]:
    """Versions of the metrics that have a number."""
    return {f"metrics.{name}.version": one.version for name, one in record.metrics.items() if one.value is not None}


def _outcome(record: RunRecord) -> dict[str, Any]:
    artifact = None if record.artifact is None else record.artifact.sha256
    return {
        "status": record.status,
        "board": record.board,
        "floor_draws": record.floor_draws,
        "artifact": artifact,
        "dictionary": None if record.dictionary is None else record.dictionary.sha256,
        "tables": {name: ref.sha256 for name, ref in record.tables.items()},
    }


def _environment(made: Provenance | None) -> dict[str, Any]:
    return {} if made is None else made.model_dump(mode="json", exclude=_NOT_ENVIRONMENT)
