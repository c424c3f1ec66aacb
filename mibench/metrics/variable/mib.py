"""MIB's two numbers of a table of sites: average over layers, and highest."""

from __future__ import annotations

import numpy as np

from mibench.metrics.metric import metric
from mibench.metrics.variable.layers import best_by_layer, missing_layers
from mibench.metrics.variable.means import Means
from mibench.metrics.variable.site_metric import Scored

_BY_ERROR = "the task has a linear target: MIB scores it by squared error, see mse_average"
_BY_ANSWER = "the task has no linear target"


@metric(
    name="iia_average", version=1, track="variable", unit="", higher_is_better=True, of="sites", ceiling=1.0
)  # fmt: skip
def iia_average(means: Means) -> Scored:
    """MIB's average: mean over layers of the best position's IIA, the position taken on the scored split itself.

    ``u(L, p)`` is the mean over counterfactual sets (unweighted) of the share of rows whose answer after the
    interchange is the causal model's; ``best(L) = max_p u(L, p)``; the value is ``mean_L best(L)``. Since ``p`` is
    selected on test, it is optimistic. Heads that are intervened on together are one unit. Every layer of the model
    needs a site. Floor: the no-op, whose rows that must not change count as right.

    Range: [0, 1]. Higher is better. Source: Mueller et al. 2025 (MIB, arXiv 2504.13151), `aggregate_results.py`.
    """
    values = means.over_sets()
    if means.error is not None or values is None:
        return _BY_ERROR
    absent = missing_layers(means.examples, means.examples.by_layer)
    return absent or best_by_layer(means.examples, values).mean(axis=-1)


@metric(
    name="iia_highest", version=1, track="variable", unit="", higher_is_better=True, of="sites", ceiling=1.0
)  # fmt: skip
def iia_highest(means: Means) -> Scored:
    """MIB's highest: IIA of the best site, layer and position both taken on the scored split itself.

    ``max_L max_p u(L, p)`` with ``u`` as in `iia_average`. Selected on test; its interval takes the maximum again in
    every resample, and so shares the optimism upward. Sites that were not scored are left out.

    Range: [0, 1]. Higher is better. Source: Mueller et al. 2025 (MIB, arXiv 2504.13151), `aggregate_results.py`.
    """
    values = means.over_sets()
    if means.error is not None or values is None:
        return _BY_ERROR
    return np.asarray(best_by_layer(means.examples, values).max(axis=-1))


@metric(name="mse_average", version=1, track="variable", unit="logit²", higher_is_better=False, of="sites", ceiling=0.0)
def mse_average(means: Means) -> Scored:
    """MIB's average of a task with a linear target: squared error of the logit difference, best group of each layer.

    Mean over counterfactual sets of the mean of ``(logit(a) − logit(b) − target)²``; the lowest group of a layer, on
    the scored split itself; mean over layers. MIB's code takes the highest here as for accuracies; where heads are
    intervened on together, as in its IOI cells, they are the one unit and both are equal. Floor: the no-op.

    Range: [0, ∞). Lower is better. Source: Mueller et al. 2025 (MIB, arXiv 2504.13151).
    """
    values = means.mean_error
    if values is None:
        return _BY_ANSWER
    absent = missing_layers(means.examples, means.examples.by_layer)
    return absent or best_by_layer(means.examples, values, higher=False).mean(axis=-1)


@metric(name="mse_lowest", version=1, track="variable", unit="logit²", higher_is_better=False, of="sites", ceiling=0.0)
def mse_lowest(means: Means) -> Scored:
    """Squared error of the best group of a task with a linear target, taken on the scored split itself.

    The lowest of the numbers that `mse_average` averages; where heads are intervened on together, they alone count.
    Selected on test; its interval takes the minimum again in every resample.

    Range: [0, ∞). Lower is better. Source: Mueller et al. 2025 (MIB, arXiv 2504.13151).
    """
    values = means.mean_error
    if values is None:
        return _BY_ANSWER
    return np.asarray(best_by_layer(means.examples, values, higher=False).min(axis=-1))
