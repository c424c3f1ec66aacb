"""How well scores of edges find what is larger than an edge: edges between whole heads, and nodes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from mibench.metrics.metric import metric
from mibench.metrics.truth.edge_table import KnownItems
from mibench.metrics.truth.ranks import Detection, area_of_ranks


@metric(name="auroc_heads", version=1, track="circuit", unit="", higher_is_better=True, ceiling=1.0, exact_floor=True)
def auroc_heads(items: KnownItems) -> Detection:
    """`auroc` with q, k and v of a head as one destination: the largest |score| of the three, true if any is.

    What can be asked of models that were trained to have a mechanism of whole heads, as those of InterpBench.

    Range: [0, 1]; the floor is what independent scores of edges give on average, not quite 0.5, since a head has three
    of them and an MLP one. Higher is better. Source: after the model card of InterpBench (arXiv 2407.14494).

    Args:
        items: Scores and truth.
    """
    if not items.of_edges:
        return Detection(None, "nodes were scored, which have no q, k and v to join")
    edges = np.char.add(np.char.add(items.sources, "->"), items.into)
    return _area(items, _Groups(edges, np.arange(len(edges))))


@metric(name="auroc_nodes", version=1, track="circuit", unit="", higher_is_better=True, ceiling=1.0, exact_floor=True)
def auroc_nodes(items: KnownItems) -> Detection:
    """`auroc` of nodes: a node has the largest |score| of its edges, in and out, and is true if a true edge ends there.

    Where nodes or neurons were scored, their own scores. ``logits`` is in every circuit and does not count.

    Range: [0, 1]; the floor is what independent scores of edges give on average, above 0.5 where true nodes have more
    edges than others, as ``input`` has. Higher is better. Source: mibench; MIB has no AUROC of nodes.

    Args:
        items: Scores and truth.
    """
    if not items.of_edges:
        return area_of_ranks(items.true, items.magnitudes)
    inner = np.flatnonzero(np.isin(items.into, items.sources))
    nodes = np.concatenate([items.sources, items.into[inner]])
    return _area(items, _Groups(nodes, np.concatenate([np.arange(len(items.names)), inner])))


@dataclass(frozen=True, eq=False)
class _Groups:
    """Which edges belong to what: pairs of a group's name and an edge; an edge may belong to two groups."""

    names: NDArray[np.str_]
    edges: NDArray[np.int64]


def _area(items: KnownItems, groups: _Groups) -> Detection:
    """The area over groups, each with the largest score of its edges."""
    names, place = np.unique(groups.names, return_inverse=True)
    true, largest = np.zeros(len(names), dtype=np.bool_), np.zeros(len(names))
    np.logical_or.at(true, place, items.true[groups.edges])
    np.maximum.at(largest, place, items.magnitudes[groups.edges])
    found = area_of_ranks(true, largest)
    if found.value is None:
        return found
    members = csr_array((np.ones(len(place)), (place, groups.edges)))
    return replace(found, floor=_by_chance(members[true], members[~true]))


def _by_chance(true: csr_array, false: csr_array) -> float:
    """Mean area of independent scores: the largest of t edges beats that of f others in t / (t + f) of all orders.

    Edges that both have make a tie, half a win, where one of them is the largest. ``[groups, edges]``
    """
    sizes, others = true.sum(axis=1), false.sum(axis=1)
    total = 0.0
    for size, count in zip(*np.unique(others, return_counts=True), strict=True):
        total += float((sizes / (sizes + size)).sum()) * int(count)
    shared = (true @ false.T).tocoo()
    t, f, both = sizes[shared.row], others[shared.col], shared.data
    total += float(((t - both / 2) / (t + f - both) - t / (t + f)).sum())
    return total / (len(sizes) * len(others))
