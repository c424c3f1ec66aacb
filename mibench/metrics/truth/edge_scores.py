"""From the table of known edges to every metric of a circuit against the truth."""

from __future__ import annotations

import pandas as pd

from mibench.metrics.metric import Metric
from mibench.metrics.truth.edge_table import KnownItems, read_items
from mibench.metrics.truth.edges import auroc, auroc_signed, average_precision, precision_at_truth
from mibench.metrics.truth.mib_auroc import auroc_mib
from mibench.metrics.truth.promoted import auroc_heads, auroc_nodes
from mibench.metrics.truth.ranks import Detection
from mibench.metrics.truth.values import value_of
from mibench.records.record import MetricValue

EDGE_TRUTH: tuple[Metric[[KnownItems], Detection], ...] = (
    auroc,
    auroc_signed,
    average_precision,
    precision_at_truth,
    auroc_heads,
    auroc_nodes,
    auroc_mib,
)
"""Every metric that compares a circuit's scores with the known truth."""

_EVERY = "the graph has these edges and no others: they are no sample"


def edge_truth_metrics(table: pd.DataFrame) -> dict[str, MetricValue]:
    """Return every metric of a circuit's scores against the truth, from their table alone.

    There are no intervals: the edges of a graph are all there are, and what varies is the artifact, over seeds or sets
    of examples to discover with.

    Args:
        table: Columns `mibench.metrics.truth.edge_table.EDGE_TRUTH_COLUMNS`.

    Raises:
        DataError: The table cannot be used.
    """
    items = read_items(table)
    return {declared.name: value_of(declared, declared(items), _EVERY) for declared in EDGE_TRUTH}


def no_edge_truth(reason: str) -> dict[str, MetricValue]:
    """Return every metric of a circuit's scores against the truth without a number, and why."""
    return {declared.name: value_of(declared, Detection(None, reason), "") for declared in EDGE_TRUTH}
