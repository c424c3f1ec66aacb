"""From scores to circuits: the best edges, nodes or neurons.

Ties are broken by index, so that the same scores give the same circuit everywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.core.specs import Ranking
from mibench.graph.circuit import Circuit, prune, with_neurons
from mibench.graph.graph import BoolArray, Graph

FloatArray = NDArray[np.floating[Any]]

FRACTIONS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""The ten circuit sizes of MIB, as fractions of the scored items."""


def requested(fraction: float, n_items: int) -> int:
    """How many items a fraction asks for: floor(fraction · n_items), computed in floating point as MIB does."""
    return int(fraction * n_items)


def rank_order(scores: FloatArray, ranking: Ranking) -> NDArray[np.int64]:
    """Indices of a flat array of scores, best first, ties by index."""
    key = np.abs(scores) if ranking is Ranking.ABSOLUTE else scores
    return np.argsort(-key, kind="stable")


def top_n_edges(graph: Graph, scores: FloatArray, n: int, ranking: Ranking) -> BoolArray:
    """The ``n`` best edges, not pruned.

    Args:
        graph: The graph.
        scores: ``[n_sources, n_destinations]``, finite on real edges.
        n: How many.
        ranking: Signed or by magnitude.

    Returns:
        Bool ``[n_sources, n_destinations]``.
    """
    rows, columns = np.nonzero(graph.real_mask)
    best = rank_order(scores[rows, columns], ranking)[:n]
    mask = np.zeros(graph.shape, dtype=np.bool_)
    mask[rows[best], columns[best]] = True
    return mask


def top_n_items(scores: FloatArray, scored: BoolArray, n: int, ranking: Ranking) -> BoolArray:
    """The ``n`` best scored items of any shape, plus all that are not scored (MIB keeps those)."""
    places = np.flatnonzero(scored)
    best = rank_order(scores.ravel()[places], ranking)[:n]
    kept = ~scored.ravel()
    kept[places[best]] = True
    return kept.reshape(scored.shape)


def node_edges(graph: Graph, nodes: BoolArray, *, phantom: bool = False) -> BoolArray:
    """The edges between kept nodes, not pruned.

    Args:
        graph: The graph.
        nodes: Kept sources, bool ``[n_sources]``.
        phantom: Also switch on pairs that are not edges (later node to earlier node), as MIB does.

    Returns:
        Bool ``[n_sources, n_destinations]``.
    """
    into = np.append(nodes[graph.destination_node[:-1]], True)
    edges: BoolArray = nodes[:, None] & into[None, :]
    return edges if phantom else edges & graph.real_mask


def circuit_of_edges(graph: Graph, scores: FloatArray, n: int, ranking: Ranking) -> Circuit:
    """The pruned circuit of the ``n`` best edges."""
    return prune(graph, top_n_edges(graph, scores, n, ranking))


def circuit_of_nodes(graph: Graph, nodes: BoolArray, *, phantom: bool = False) -> Circuit:
    """The pruned circuit of all edges between the kept ``nodes``, bool ``[n_sources]``."""
    return prune(graph, node_edges(graph, nodes, phantom=phantom))


def circuit_of_neurons(graph: Graph, neurons: BoolArray, *, phantom: bool = False) -> Circuit:
    """The pruned circuit of the kept ``neurons``, bool ``[n_sources, d_model]``; a node is in if any of its are."""
    return prune(graph, node_edges(graph, with_neurons(neurons), phantom=phantom), neurons)
