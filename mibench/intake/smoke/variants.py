"""Scores as they would be with another sign, or with another count of layers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mibench.artifacts.circuit import CircuitScores
from mibench.core.specs import Level
from mibench.graph.graph import Graph, IntArray


def flipped(scores: CircuitScores) -> CircuitScores:
    """The scores with their sign turned."""
    return replace(scores, scores=-scores.scores)


def rolled(scores: CircuitScores, by: int) -> CircuitScores:
    """The scores with every layer raised by ``by``, the last one to the first; input and logits stay.

    Edges that would not be any get lost, and edges to which nothing comes get 0.
    """
    graph = scores.graph
    rows = _origins(graph.n_sources - 1, graph, by)
    rows = np.append(0, 1 + rows)
    if scores.level is not Level.EDGE:
        return replace(scores, scores=scores.scores[rows], scored=scores.scored[rows])
    columns = np.append(_origins(graph.n_destinations - 1, graph, by), graph.n_destinations - 1)
    return replace(scores, scores=scores.scores[np.ix_(rows, columns)], scored=graph.real_mask)


def _origins(n: int, graph: Graph, by: int) -> IntArray:
    """Where each of ``n`` items in order of layers comes from."""
    width = n // graph.n_layers
    return np.asarray((np.arange(n) - by * width) % n, dtype=np.int64)
