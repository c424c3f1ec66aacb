"""A circuit: a pruned set of edges (and neurons) of a graph, and its size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mibench.graph.graph import BoolArray, Graph


@dataclass(frozen=True)
class Circuit:
    """What is kept of the model; everything else carries ablated values.

    Attributes:
        graph: The whole graph.
        edges: Kept edges, bool ``[n_sources, n_destinations]``. Under MIB's node and neuron rules it also holds
            pairs that are not edges; the engine ignores them, MIB's counts do not.
        neurons: Kept neurons of each source, bool ``[n_sources, d_model]``; None: all of them.
    """

    graph: Graph
    edges: BoolArray
    neurons: BoolArray | None = None

    @property
    def real_edges(self) -> BoolArray:
        """Kept edges that exist, bool ``[n_sources, n_destinations]``."""
        return self.edges & self.graph.real_mask

    @property
    def n_edges(self) -> int:
        """Number of kept edges, as listed in ``edges``."""
        return int(self.edges.sum())

    @property
    def weighted_edges(self) -> float:
        """Sum over kept edges of the share of the source's neurons that is kept (MIB's weighted edge count)."""
        return _weighted(self.edges, self.neurons)

    @property
    def weighted_real_edges(self) -> float:
        """The weighted edge count over edges that exist."""
        return _weighted(self.real_edges, self.neurons)

    @property
    def is_full(self) -> bool:
        """Whether nothing is ablated."""
        everything = self.graph.n_edges == int(self.real_edges.sum())
        return everything and (self.neurons is None or bool(self.neurons.all()))

    @property
    def is_empty(self) -> bool:
        """Whether every edge is ablated."""
        return not self.real_edges.any()


def _weighted(edges: BoolArray, neurons: BoolArray | None) -> float:
    outgoing = edges.sum(axis=1)
    if neurons is None:
        return float(outgoing.sum())
    return float((outgoing * neurons.mean(axis=1)).sum())


def prune(graph: Graph, edges: BoolArray, neurons: BoolArray | None = None) -> Circuit:
    """Drop dangling edges until every kept node is fed and read.

    A node stays if it has an outgoing edge and an incoming one (``input`` needs none, ``logits`` always stays).
    Under counterfactual ablation this changes counts only: a node that nothing feeds emits its ablated value.

    Args:
        graph: The graph.
        edges: Bool ``[n_sources, n_destinations]``.
        neurons: Bool ``[n_sources, d_model]`` or None; neurons of dropped nodes are cleared.

    Returns:
        The largest circuit inside ``edges`` without dangling nodes.
    """
    kept = edges.copy()
    if neurons is not None:
        kept &= with_neurons(neurons)[:, None]
    while True:
        nodes = connected_nodes(graph, kept)
        smaller = kept & nodes[:, None] & np.append(nodes[graph.destination_node[:-1]], True)[None, :]
        if (smaller == kept).all():
            break
        kept = smaller
    if neurons is not None:
        neurons = neurons & nodes[:, None]
    return Circuit(graph, kept, neurons)


def with_neurons(neurons: BoolArray) -> BoolArray:
    """Which sources keep at least one neuron, bool ``[n_sources]``, from ``[n_sources, d_model]``."""
    return np.asarray(neurons.any(axis=1), dtype=np.bool_)


def connected_nodes(graph: Graph, edges: BoolArray) -> BoolArray:
    """Which sources have an outgoing edge and, unless they are ``input``, an incoming one, bool ``[n_sources]``."""
    fed = np.zeros(graph.n_sources, dtype=np.bool_)
    np.logical_or.at(fed, graph.destination_node[:-1], edges[:, :-1].any(axis=0))
    fed[0] = True
    connected: BoolArray = fed & edges.any(axis=1)
    return connected
