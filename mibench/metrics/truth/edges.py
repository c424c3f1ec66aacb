"""How well a circuit's scores find the true edges, or nodes where nodes are scored."""

from __future__ import annotations

from collections.abc import Callable

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.truth.edge_table import KnownItems
from mibench.metrics.truth.ranks import Detection, area_of_ranks, precision_at, precision_of_ranks

_ONE_HEAD = "the truth does not tell q, k and v of a head apart: auroc_heads does without"


@metric(
    name="auroc", version=1, track="circuit", unit="", higher_is_better=True, floor=0.5, ceiling=1.0, exact_floor=True
)
def auroc(items: KnownItems) -> Detection:
    """Area under the ROC curve of |score|: the probability that a true item outranks a false one, ties counting half.

    By magnitude, since an edge that works against the answer carries the task too. Items without a score are in every
    circuit, so they rank first. Over all edges of the graph, or all nodes where nodes are scored.

    Range: [0, 1], 0.5 is chance. Higher is better. Source: Mann and Whitney 1947; MIB's own number is `auroc_mib`.

    Args:
        items: Scores and truth.
    """
    return _told_apart(items, items.magnitudes, area_of_ranks)


@metric(
    name="auroc_signed",
    version=1,
    track="circuit",
    unit="",
    higher_is_better=True,
    floor=0.5,
    ceiling=1.0,
    exact_floor=True,
)
def auroc_signed(items: KnownItems) -> Detection:
    """`auroc` of the score itself: the sign counts, and true items with a negative score rank last.

    Range: [0, 1], 0.5 is chance; scores of the opposite sign give 1 − x. Higher is better. Source: as `auroc`.

    Args:
        items: Scores and truth.
    """
    return _told_apart(items, items.scores, area_of_ranks)


@metric(
    name="average_precision", version=1, track="circuit", unit="", higher_is_better=True, ceiling=1.0, exact_floor=True
)
def average_precision(items: KnownItems) -> Detection:
    """Average precision of |score|: Σ (recall step × precision) from the largest down, ties entering together.

    Unlike `auroc` it looks at the top of the ranking, where circuits are taken from.

    Range: (0, 1]; the floor is the mean over all orders. Higher is better. Source: standard, as in scikit-learn.

    Args:
        items: Scores and truth.
    """
    return _told_apart(items, items.magnitudes, precision_of_ranks)


@metric(
    name="precision_at_truth", version=1, track="circuit", unit="", higher_is_better=True, ceiling=1.0, exact_floor=True
)
def precision_at_truth(items: KnownItems) -> Detection:
    """Share of true items among the n largest |score|, n being the number of true items (R-precision).

    Precision and recall of the circuit that is as large as the true one. Among ties, the mean over their orders.

    Range: [0, 1]; the share of true items is chance. Higher is better. Source: standard in retrieval (TREC).

    Args:
        items: Scores and truth.
    """
    return _told_apart(items, items.magnitudes, precision_at)


def _told_apart(
    items: KnownItems, scores: FloatArray, measure: Callable[[BoolArray, FloatArray], Detection]
) -> Detection:
    if items.of_edges and items.resolution == "head":
        return Detection(None, _ONE_HEAD)
    return measure(items.true, scores)
