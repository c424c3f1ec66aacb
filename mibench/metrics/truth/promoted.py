"""How well scores of edges find what is larger than an edge: edges between whole heads, and nodes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.truth.edge_table import KnownItems
from mibench.metrics.truth.ranks import Detection, area_of_ranks


@metric(name="auroc_heads", version=1, track="circuit", unit="", higher_is_better=True, floor=0.5, ceiling=1.0)
def auroc_heads(items: KnownItems) -> Detection:
    """`auroc` with q, k and v of a head as one destination: the largest |score| of the three, true if any is.

    What can be asked of models that were trained to have a mechanism of whole heads, as those of InterpBench.

    Range: [0, 1], 0.5 is chance. Higher is better. Source: after the model card of InterpBench (arXiv 2407.14494).

    Args:
        items: Scores and truth.
    """
    if not items.of_edges:
        return Detection(None, "nodes were scored, which have no q, k and v to join")
    edges = np.char.add(np.char.add(items.sources, "->"), items.into)
    return area_of_ranks(*_largest(edges, items.true, items.magnitudes))


@metric(name="auroc_nodes", version=1, track="circuit", unit="", higher_is_better=True, floor=0.5, ceiling=1.0)
def auroc_nodes(items: KnownItems) -> Detection:
    """`auroc` of nodes: a node has the largest |score| of its edges, in and out, and is true if a true edge ends there.

    Where nodes or neurons were scored, their own scores. ``logits`` is in every circuit and does not count.

    Range: [0, 1], 0.5 is chance. Higher is better. Source: mibench; MIB has no AUROC of nodes.

    Args:
        items: Scores and truth.
    """
    if not items.of_edges:
        return area_of_ranks(items.true, items.magnitudes)
    inner = np.isin(items.into, items.sources)
    nodes = np.concatenate([items.sources, items.into[inner]])
    true = np.concatenate([items.true, items.true[inner]])
    magnitudes = np.concatenate([items.magnitudes, items.magnitudes[inner]])
    return area_of_ranks(*_largest(nodes, true, magnitudes))


def _largest(groups: NDArray[np.str_], true: BoolArray, magnitudes: FloatArray) -> tuple[BoolArray, FloatArray]:
    """Whether any of a group is true, and the largest score in it, one a group."""
    names, place = np.unique(groups, return_inverse=True)
    joined, largest = np.zeros(len(names), dtype=np.bool_), np.zeros(len(names))
    np.logical_or.at(joined, place, true)
    np.maximum.at(largest, place, magnitudes)
    return joined, largest
