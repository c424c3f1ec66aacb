"""Scores that say what is known: the truth, a part of it, and anything between it and noise."""

from __future__ import annotations

import numpy as np

from mibench.artifacts.circuit import FloatArray
from mibench.core.specs import Level
from mibench.core.truth import TaskTruth
from mibench.graph.graph import BoolArray, Graph


def true_edges(graph: Graph, truth: TaskTruth) -> BoolArray:
    """Return which edges are true, bool ``[n_sources, n_destinations]``.

    With resolution ``head``, an edge into one of q, k, v of a head stands for all three.

    Raises:
        UsageError: The truth names an edge that the graph does not have.
    """
    found = np.zeros(graph.shape, dtype=np.bool_)
    for name in truth.edges:
        for edge in _slots(name) if truth.resolution == "head" else (name,):
            found[graph.edge_index(edge)] = True
    return found


def _slots(edge: str) -> tuple[str, ...]:
    head, bracket, _ = edge.partition("<")
    return tuple(f"{head}<{slot}>" for slot in "qkv") if bracket else (edge,)


def true_nodes(graph: Graph, edges: BoolArray) -> BoolArray:
    """Return which nodes a true edge begins or ends at, bool ``[n_sources]``."""
    nodes: BoolArray = np.asarray(edges.any(axis=1))
    ends = graph.destination_node[edges.any(axis=0)]
    nodes[ends[ends >= 0]] = True
    return nodes


def truth_scores(graph: Graph, truth: TaskTruth, level: Level = Level.EDGE) -> FloatArray:
    """Return 1 for the edges, or nodes, that carry the task and 0 for all others.

    A node carries it if a true edge begins or ends at it; of neurons, the nodes are returned.

    Raises:
        UsageError: The truth names an edge that the graph does not have.
    """
    edges = true_edges(graph, truth)
    return (edges if level is Level.EDGE else true_nodes(graph, edges)).astype(np.float64)


def flawed(scores: FloatArray, real: BoolArray, kept: float, generator: np.random.Generator) -> FloatArray:
    """Return truth scores with mistakes: some true items exchanged for as many false ones.

    Args:
        scores: From :func:`truth_scores`.
        real: Items that exist, of the same shape.
        kept: Share of the true items that stay, from 0 to 1; rounded to whole items.
        generator: Draws the mistakes.
    """
    found = scores.copy()
    true, false = np.flatnonzero((scores > 0) & real), np.flatnonzero((scores == 0) & real)
    n_lost = min(round((1 - kept) * len(true)), len(false))
    found.flat[generator.permutation(true)[:n_lost]] = 0
    found.flat[generator.permutation(false)[:n_lost]] = 1
    return found
