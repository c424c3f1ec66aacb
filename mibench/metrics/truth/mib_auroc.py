"""MIB's AUROC, as its code computes it: ten greedy circuits, not a threshold that moves through all scores."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator

import numpy as np

from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.graph.circuit import prune
from mibench.graph.graph import Graph, IntArray
from mibench.graph.select import FRACTIONS, edges_at
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.truth.edge_table import KnownItems
from mibench.metrics.truth.ranks import Detection


@metric(name="auroc_mib", version=1, track="circuit", unit="", higher_is_better=True)
def auroc_mib(items: KnownItems) -> Detection:
    """AUROC as MIB's code computes it on InterpBench; far from a true one, for comparison with published numbers.

    Ten circuits of ⌈p · edges⌉ edges are grown from ``logits``, always by the largest |score| that leads to a node
    which is reached, then pruned. TPR over FPR is summed by trapezoids, FPR divided by its last value; there is no
    point (0, 0). Slots are compared, whatever the resolution of the truth. Ties
    go to the destination that was reached first (MIB merges sorted lists), then to the graph's order, where MIB's
    changes from run to run.

    Perfect scores do not reach 1: the search cannot pass a gap in the true edges, and pruning drops dangling ones; on
    random true edges of a graph of 6 layers of 4 heads they reach .9. Noise reaches .5 there, and more where the true
    edges hang together, so there is no floor but a measured one. Cost: E log E in Python, seconds for a million edges.

    Range: [0, 1]. Higher is better. Source: MIB (arXiv 2504.13151).

    Args:
        items: Scores and truth of all edges.

    Raises:
        DataError: The items are not the edges of a graph.
    """
    if not items.of_edges:
        return Detection(None, "MIB computes AUROC for edges only")
    if np.isinf(items.scores).any():
        return Detection(None, "some edges have no score, and MIB's search needs one of each")
    n_true = int(items.named.sum())
    if n_true in (0, len(items.named)):
        which = "true" if n_true else "false"
        return Detection(None, f"every edge is {which}: MIB's rates divide by zero")
    rates = np.array(list(_rates(items)))
    true, false = rates[:, 0], rates[:, 1] / rates[-1, 1]
    return Detection(float(np.trapezoid(true, false)), n=len(items.names))


def _rates(items: KnownItems) -> Iterator[tuple[float, float]]:
    """Share of true, and of false edges that are kept, at each size."""
    graph = graph_of(items)
    places = np.array([row * graph.n_destinations + column for row, column in map(graph.edge_index, items.names)])
    magnitudes = np.full(graph.shape, -np.inf)
    magnitudes.flat[places] = items.magnitudes
    order = best_first(graph, magnitudes)
    for fraction in FRACTIONS:
        # MIB counts a float down while it is above 0, and so takes one more than the whole number.
        circuit = prune(graph, edges_at(graph, order[: math.ceil(fraction * len(places))]))
        kept = circuit.edges.flat[places]
        yield float(kept[items.named].mean()), float(kept[~items.named].mean())


def best_first(graph: Graph, magnitudes: FloatArray) -> IntArray:
    """Return the edges in the order in which MIB's search from ``logits`` takes them.

    As `mibench.graph.greedy.greedy_order` where no two are equal; of equal ones the edge comes first whose destination
    was reached first.

    Args:
        graph: The graph.
        magnitudes: Minus infinity where there is nothing to take. ``[n_sources, n_destinations]``

    Returns:
        Flat places ``[edges]``.
    """
    columns = np.arange(graph.n_destinations)
    into = [columns[graph.destination_node == node] for node in range(graph.n_sources)]
    reached = np.zeros(graph.n_sources, dtype=np.bool_)
    frontier, order = list(_edges_into(columns[-1:], 0, magnitudes)), []
    heapq.heapify(frontier)
    while frontier:
        *_, place = heapq.heappop(frontier)
        order.append(place)
        source = place // graph.n_destinations
        if not reached[source]:
            reached[source] = True
            for edge in _edges_into(into[source], int(reached.sum()), magnitudes):
                heapq.heappush(frontier, edge)
    return np.array(order, dtype=np.int64)


def _edges_into(columns: IntArray, turn: int, magnitudes: FloatArray) -> Iterator[tuple[float, int, int]]:
    """The edges into some destinations as (minus magnitude, turn, place): the smallest is to be taken first."""
    for row, which in np.argwhere(np.isfinite(magnitudes[:, columns])).tolist():
        place = row * magnitudes.shape[1] + int(columns[which])
        yield -float(magnitudes.flat[place]), turn, place


def graph_of(items: KnownItems) -> Graph:
    """Return the graph whose edges the items are.

    Raises:
        DataError: There is none.
    """
    sources = set(items.sources.tolist())
    n_layers = sum(name.startswith("m") for name in sources)
    n_heads = sum(name.startswith("a0.") for name in sources)
    try:
        graph = Graph(n_layers, n_heads, parallel="a0.h0->m0" not in items.names)
        for name in items.names:
            graph.edge_index(name)
    except (UsageError, ArtifactError) as error:
        raise _no_graph(error.why) from error
    if len(items.names) != graph.n_edges:
        raise _no_graph(f"{len(items.names)} of {graph.n_edges} edges are there.")
    return graph


def _no_graph(why: str) -> DataError:
    return DataError("The known edges are not those of a graph.", why=why, do="Score the artifact again.")
