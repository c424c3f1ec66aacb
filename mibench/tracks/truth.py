"""A circuit's scores beside what is known of the model: one table, from which every metric of truth is computed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from mibench.artifacts.circuit import CircuitScores, FloatArray
from mibench.artifacts.truth_scores import true_edges, true_nodes
from mibench.core.errors import DataError, UsageError
from mibench.core.specs import Level
from mibench.core.truth import TaskTruth
from mibench.graph.graph import BoolArray, Graph


def edge_truth_table(graph: Graph, scores: CircuitScores, truth: TaskTruth) -> pd.DataFrame:
    """One row a real edge, or a node where nodes or neurons are scored; `metrics.truth.edge_table` reads it.

    Columns: level, resolution (of the truth), edge (name of the edge or node), source, destination (empty for nodes),
    score (null: not scored, so always kept), true, named (the truth names this very edge: at resolution ``head`` an
    edge into one slot makes those into the other two true as well). A binary artifact scores what is in its circuit 1,
    all else 0. A node of neuron scores has the score of its largest neuron, with its sign; none, if one of its neurons
    has none. A node is true where a true edge begins or ends.

    Args:
        graph: The model's graph.
        scores: Of the same graph.
        truth: What is known of the task.

    Raises:
        ArtifactError: The scores are of another graph.
        UsageError: The truth names an edge that the graph does not have.
    """
    scores.check_model(graph)
    true, values = true_edges(graph, truth), _values(scores)
    if scores.level is Level.EDGE:
        frame = _edge_rows(graph, values, true).assign(named=np.isin(graph.edge_names(), truth.edges))
    else:
        nodes = true_nodes(graph, true)
        frame = _node_rows(graph, values if scores.level is Level.NODE else _largest(values), nodes)
    return frame.assign(level=scores.level.value, resolution=truth.resolution)


def check_truth(truth: TaskTruth, graph: Graph, subspaces: Collection[str], path: Path) -> None:
    """Check that what is known of a task is of this model.

    Args:
        truth: What is known.
        graph: The model's graph.
        subspaces: Names of the known subspaces.
        path: The file it was read from, for errors.

    Raises:
        DataError: It names an edge, head, layer or subspace that is not there.
    """
    do = "Correct it, or remove it: the model works without."
    try:
        true_edges(graph, truth)
    except UsageError as error:
        raise DataError(f"{path} cannot be used.", why=f"{error.what} {error.why}", do=do) from error
    for site in truth.sites:
        inside = site.layer < graph.n_layers and (site.head is None or site.head < graph.n_heads)
        if not inside or (site.subspace is not None and site.subspace not in subspaces):
            why = f"{site.variable} is said to live at layer {site.layer}, head {site.head}, in {site.subspace}."
            raise DataError(f"{path} cannot be used.", why=f"{why} There is no such place or subspace.", do=do)


def _values(scores: CircuitScores) -> FloatArray:
    if scores.binary and scores.in_graph is not None:
        return scores.in_graph.astype(np.float64)
    return np.where(scores.scored, scores.scores.astype(np.float64), np.nan)


def _edge_rows(graph: Graph, values: FloatArray, true: BoolArray) -> pd.DataFrame:
    rows, columns = np.nonzero(graph.real_mask)
    return pd.DataFrame(
        {
            "edge": graph.edge_names(),
            "source": np.array(graph.source_names)[rows],
            "destination": np.array(graph.destination_names)[columns],
            "score": values[rows, columns],
            "true": true[rows, columns],
        }
    )


def _node_rows(graph: Graph, values: FloatArray, true: BoolArray) -> pd.DataFrame:
    names = graph.source_names
    columns = {"edge": names, "source": names, "destination": "", "score": values, "true": true, "named": true}
    return pd.DataFrame(columns)


def _largest(neurons: FloatArray) -> FloatArray:
    """The entry of largest magnitude of each row, NaN where one is NaN. ``[n_sources, d_model] -> [n_sources]``."""
    unscored = np.isnan(neurons).any(axis=1)
    place = np.abs(np.nan_to_num(neurons)).argmax(axis=1)
    largest = np.take_along_axis(neurons, place[:, None], axis=1)[:, 0]
    return np.where(unscored, np.nan, largest)
