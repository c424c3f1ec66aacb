"""What the tables show: a column is one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mibench.core.specs import Track
from mibench.leaderboard import text
from mibench.metrics.metric import METRICS
from mibench.records.record import Cost


@dataclass(frozen=True)
class Column:
    """A metric to show.

    Attributes:
        metric: Its name in the records.
        title: Heading.
        digits: Decimals.
        headline: Whether rows are ranked by it; a table is sorted by its first headline.
        exact: Whether it is a count, which has no interval.
    """

    metric: str
    title: str
    digits: int = 3
    headline: bool = False
    exact: bool = False

    @property
    def higher_is_better(self) -> bool | None:
        """Direction that the metric declares; None where neither end is better, or it is not registered."""
        component = METRICS.components.get(self.metric)
        return component.metadata.get("higher_is_better") if component else None

    @property
    def doc(self) -> str:
        """First line of the metric's documentation."""
        component = METRICS.components.get(self.metric)
        return component.doc if component else ""


@dataclass(frozen=True)
class CostColumn:
    """A cost to show.

    Attributes:
        name: Its name in the CSV table.
        title: Heading.
        doc: What it counts.
        read: The amount of one record.
        show: The amount as text.
    """

    name: str
    title: str
    doc: str
    read: Callable[[Cost], float | None]
    show: Callable[[float], str]


def _passes(cost: Cost) -> float | None:
    return (cost.forward_passes + cost.backward_passes) / cost.examples if cost.examples else None


_OF_SITES = (
    Column("iia_average", "MIB average", headline=True),
    Column("iia_highest", "MIB highest"),
    Column("isolate", "Isolate"),
    Column("disentangle", "Disentangle"),
    Column("selectivity", "Selectivity"),
    Column("n_parameters", "Parameters", digits=0, exact=True),
)

LINEAR_COLUMNS = (
    Column("explained_variance", "Explained variance", headline=True),
    Column("explained_variance_joint", "Joint"),
    Column("explained_variance_single", "Best single"),
    Column("mse_average", "MIB MSE", headline=True),
    Column("normalised_iia", "Normalised IIA"),
    *_OF_SITES[2:],
)
"""Columns of the variable track where the task has a linear target."""

COLUMNS: Mapping[Track, tuple[Column, ...]] = MappingProxyType(
    {
        Track.CIRCUIT: (
            Column("distance_absolute", "Distance", headline=True),
            Column("cmd", "CMD", headline=True),
            Column("cpr", "CPR"),
            Column("accuracy_area_absolute", "Accuracy"),
            Column("kl_faithfulness_absolute", "KL kept"),
            Column("auroc", "AUROC"),
        ),
        Track.VARIABLE: (
            Column("normalised_iia", "Normalised IIA", headline=True),
            *_OF_SITES,
        ),
        Track.SAE: (),
    }
)
"""Columns by track; a track without any shows all metrics of its records, unranked."""

COSTS: tuple[CostColumn, ...] = (
    CostColumn(
        "seconds", "Time", "Wall-clock time of the method, scoring left out.", lambda cost: cost.seconds, text.duration
    ),
    CostColumn(
        "passes_per_example",
        "Passes",
        "Forward + backward passes of the method, a training example.",
        _passes,
        text.count,
    ),
    CostColumn(
        "peak_bytes", "Memory", "Highest resident memory of the method.", lambda cost: cost.peak_bytes, text.memory
    ),
)
"""Cost columns of every table."""
