"""Group records that may be compared, and measure the paired differences between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mibench.cli.find import Stored
from mibench.core.errors import MibenchError
from mibench.core.names import did_you_mean, unknown
from mibench.core.specs import Cell, Track
from mibench.records.record import MetricValue, RunRecord

if TYPE_CHECKING:
    from mibench.metrics.circuit import MetricDifference

SHOWN = (
    "distance_absolute", "cmd", "cpr", "area_signed", "auroc",
    "normalised_iia", "normalised_average", "iia_average", "iia_highest", "isolate", "explained_variance",
)  # fmt: skip
"""Columns of a table where the user names none."""


@dataclass(frozen=True)
class Difference:
    """One method less another on the same examples.

    Attributes:
        method: Label of the first.
        against: Label of the second.
        metrics: Differences by the name of the metric; empty where they could not be measured.
        problem: Why they could not be.
    """

    method: str
    against: str
    metrics: dict[str, MetricDifference] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True)
class Group:
    """Records of one task, model and set of rules, by a label that tells them apart.

    Attributes:
        cell: A cell of the group, for what all of them share.
        methods: Records by label, best first.
        differences: Filled in by :func:`against`.
    """

    cell: Cell
    methods: dict[str, Stored]
    differences: tuple[Difference, ...] = ()

    @property
    def key(self) -> dict[str, Any]:
        """What the records share."""
        cell = self.cell
        return {
            "track": cell.track.value,
            "task": cell.task.name,
            "task_version": cell.task.version,
            "split": cell.task.split,
            "limit": cell.task.limit,
            "data_digest": cell.task.digest,
            "model": cell.model.name,
            "model_digest": cell.model.digest,
            "dtype": cell.model.dtype,
            "attention": cell.model.attention,
            "level": cell.level.value if cell.level else None,
            "ablation": cell.ablation.value if cell.ablation else None,
            "bos": cell.bos,
            "convention": cell.convention.value,
            "variable": _variable(cell),
            **({"target_rows": cell.task.train_digest} if cell.variable and cell.variable.target_heads else {}),
        }

    @property
    def title(self) -> str:
        """What the records share, to read."""
        cell = self.cell
        examples = "" if cell.task.limit is None else f", first {cell.task.limit}"
        ablation = f"{cell.ablation} ablation" if cell.ablation else None
        task = f"{cell.task.name} ({cell.task.split}{examples})"
        words = [task, _variable(cell), cell.model.name, cell.level, ablation]
        return " · ".join(str(word) for word in [*words, cell.convention] if word)

    @property
    def failures(self) -> list[str]:
        """Why some records have no numbers, and some pairs no difference."""
        records = ((label, stored.record) for label, stored in self.methods.items())
        failed = [f"{label}: {record.problem.what}" for label, record in records if record.problem]
        unpaired = [f"{one.method} − {one.against}: {one.problem}" for one in self.differences if one.problem]
        return failed + unpaired


def _variable(cell: Cell) -> str | None:
    """The causal variable and where it is looked for; None in other tracks."""
    where = cell.variable
    if where is None:
        return None
    layers = [] if where.layers is None else [f"layers {' '.join(map(str, where.layers))}"]
    heads = [f"heads {' '.join(f'{layer}.{head}' for layer, head in where.heads)}"] if where.heads else []
    oracle = ["oracle"] if where.oracle else []
    return ", ".join([where.name, f"{where.component} at {' '.join(where.positions)}", *layers, *heads, *oracle])


def column(name: str, metric: MetricValue) -> str:
    """Return the column of a metric: numbers of different versions of a formula never share one."""
    return name if metric.version == 1 else f"{name} v{metric.version}"


def by_column(record: RunRecord) -> dict[str, MetricValue]:
    """Return the metrics of a record by column."""
    return {column(name, metric): metric for name, metric in record.metrics.items()}


def chosen(records: Iterable[Stored], names: Sequence[str], *, all_of_them: bool) -> list[str]:
    """Return the columns to show: those of ``names``, else a few, else all.

    Raises:
        UsageError: No record has a metric of that name.
    """
    known: dict[str, str] = {}
    for stored in records:
        known |= {column(name, metric): name for name, metric in stored.record.metrics.items()}
    wrong = [name for name in names if name not in {*known, *known.values()}]
    if wrong:
        raise unknown("metric", wrong[0], set(known.values()))
    wanted = names or (() if all_of_them else SHOWN)
    columns = [one for name in wanted for one in known if name in (one, known[one])]
    return list(dict.fromkeys(columns)) or list(known)


def columns_of(records: Iterable[RunRecord], columns: Sequence[str]) -> list[str]:
    """Return the columns that some of these records has; all if none has any.

    Records of causal variables list every metric, and there only those with a number count.
    """
    own = {
        name
        for record in records
        for name, metric in by_column(record).items()
        if metric.value is not None or record.cell.track is not Track.VARIABLE
    }
    return [name for name in columns if name in own] or list(columns)


def grouped(found: Sequence[Stored], columns: Sequence[str]) -> list[Group]:
    """Return the records in groups that share everything but the method."""
    groups: dict[str, list[Stored]] = {}
    for stored in found:
        key = Group(stored.record.cell, {}).key
        groups.setdefault(repr(key), []).append(stored)
    return [_group(members, columns) for _, members in sorted(groups.items())]


def _group(members: list[Stored], columns: Sequence[str]) -> Group:
    records = [stored.record for stored in members]
    labels, columns = _labels(records), columns_of(records, columns)
    # Cells that differ in nothing that a label shows keep their ids.
    doubled = {label for label in labels if labels.count(label) > 1}
    labels = [
        f"{label} [{stored.record.cell.id[:8]}]" if label in doubled else label
        for label, stored in zip(labels, members, strict=True)
    ]
    labelled = sorted(zip(labels, members, strict=True), key=lambda pair: _order(pair[1].record, columns))
    return Group(members[0].record.cell, dict(labelled))


def _order(record: RunRecord, columns: Sequence[str]) -> tuple[bool, float, str]:
    metric = by_column(record).get(columns[0]) if columns else None
    if metric is None or metric.value is None:
        return True, 0.0, record.cell.method.name
    return False, -metric.value if metric.higher_is_better else metric.value, record.cell.method.name


def _labels(records: Sequence[RunRecord]) -> list[str]:
    """Return the names of the methods, and where two share one, what they differ in."""
    return [_label(record, [one for one in records if _name(one) == _name(record)]) for record in records]


def _label(record: RunRecord, same_name: Sequence[RunRecord]) -> str:
    variants = [_variant(one) for one in same_name]
    own = _variant(record)
    differing = [key for key in own if any(other.get(key) != own[key] for other in variants)]
    parts = ", ".join(f"{key}={own[key]}" for key in differing if own[key] is not None)
    return f"{_name(record)} ({parts})" if parts else _name(record)


def _name(record: RunRecord) -> str:
    return record.cell.method.name


def _variant(record: RunRecord) -> dict[str, Any]:
    method, task = record.cell.method, record.cell.task
    digests = {"code": method.code_digest, "artifact": method.artifact_digest, "train": task.train_digest}
    short = {key: value[:8] if value else None for key, value in digests.items()}
    return {**method.params, "seed": method.seed, "version": method.version, **short}


def against(groups: Sequence[Group], baseline: str) -> list[Group]:
    """Return the groups with the differences of every method from those called ``baseline``.

    Raises:
        UsageError: No group has a method of that name.
    """
    known = {word for group in groups for label, one in group.methods.items() for word in (label, _name(one.record))}
    if baseline not in known:
        raise unknown("method", baseline, known)
    return [Group(group.cell, group.methods, tuple(_differences(group, baseline))) for group in groups]


def _differences(group: Group, baseline: str) -> Iterable[Difference]:
    bases = [label for label, one in group.methods.items() if baseline in (label, _name(one.record))]
    if not bases:
        hint = did_you_mean(baseline, group.methods)
        yield from (Difference(label, baseline, problem=f"no record of it here. {hint}") for label in group.methods)
    for base in bases:
        for label in group.methods:
            if label not in bases:
                yield _difference(group, label, base)


def _difference(group: Group, first: str, second: str) -> Difference:
    sides = [group.methods[label] for label in (first, second)]
    try:
        return Difference(first, second, _paired(sides, group.cell.track))
    except MibenchError as error:
        return Difference(first, second, problem=f"{error.what} {error.why}")


def _paired(sides: Sequence[Stored], track: Track) -> dict[str, MetricDifference]:
    if track is Track.VARIABLE:
        from mibench.metrics.variable.scores import compare_variables
        from mibench.metrics.variable.tables import VariableTables

        first, second = (VariableTables.stored(side.record, side.store) for side in sides)
        return compare_variables(first, second)
    from mibench.metrics.circuit import compare_circuits
    from mibench.metrics.per_example import CircuitTables

    return compare_circuits(*(CircuitTables.stored(side.record, side.store) for side in sides))
