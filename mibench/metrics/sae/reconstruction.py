"""How close a reconstruction x̂ is to the activation x, over the scored tokens of all contexts."""

from __future__ import annotations

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.context_means import ContextMeans, divided

ROUNDING = 1e-12
"""A spread below this share of the mean square is rounding of a constant activation."""


@metric(
    name="explained_variance_global", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0
)
def explained_variance_global(means: ContextMeans) -> FloatArray:
    """Share of the variance that is reconstructed: ``1 − Σ‖x − x̂‖² / Σ‖x − μ‖²``.

    μ is one mean over all scored tokens, so that it does not depend on batches, and a constant reconstruction has 0 at
    most. It is not the number that SAEBench calls ``explained_variance``.

    Range: (−∞, 1]; predicting the mean gives 0. Higher is better. Source: the usual coefficient of determination;
    SAELens issues #443 and #659 on what else has gone by that name.
    """
    return np.asarray(1.0 - fvu(means))


@metric(
    name="explained_variance_ordinary", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0
)
def explained_variance_ordinary(means: ContextMeans) -> FloatArray:
    """Explained variance over tokens without a massive activation: ``1 − Σ‖x − x̂‖² / Σ‖x − μ_o‖²``.

    Left out are tokens whose norm is above ten times the median of the first 16 contexts; μ_o is the mean of the rest.
    In many models a few tokens in ten thousand are hundreds of times as large as the others and hold most of the
    variance, so that `explained_variance_global` tells little of the others; where both differ, read this one.

    Range: (−∞, 1]; predicting μ_o gives 0. Higher is better. Source: mibench; massive activations: Sun et al. 2024
    (arXiv 2402.17762).
    """
    spread = means["ordinary_deviation"]
    known = np.where(spread > ROUNDING * means["ordinary_target"], spread, 0.0)
    return np.asarray(1.0 - divided(means["ordinary_error"], known))


@metric(name="fvu", version=1, track="sae", unit="", higher_is_better=False, floor=1.0, ceiling=0.0)
def fvu(means: ContextMeans) -> FloatArray:
    """Fraction of variance unexplained: ``Σ‖x − x̂‖² / Σ‖x − μ‖²``, μ the mean over all scored tokens.

    Range: [0, ∞); predicting the mean gives 1. Lower is better. Source: Gao et al. 2024 (arXiv 2406.04093), as
    normalised mean squared error.
    """
    spread = means["squared_deviation"]
    return divided(means["squared_error"], np.where(spread > ROUNDING * means["squared_target"], spread, 0.0))


@metric(name="mse", version=1, track="sae", unit="activation²", higher_is_better=False, ceiling=0.0)
def mse(means: ContextMeans) -> FloatArray:
    """Mean squared error of an entry: ``Σ‖x − x̂‖² / (N·d)`` over N tokens of d entries.

    Its floor is that of predicting the mean. Divided by the number of tokens once: SAEBench divides twice.

    Range: [0, ∞), in the units of the activation, squared. Lower is better. Source: mibench, after SAEBench
    (arXiv 2503.09532).
    """
    return means.ratio("squared_error", "entries")


def mse_floor(means: ContextMeans) -> FloatArray:
    """`mse` of predicting the mean."""
    return means.ratio("squared_deviation", "entries")


@metric(name="cosine", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def cosine(means: ContextMeans) -> FloatArray:
    """Mean over tokens of ``cos(x, x̂)``; 0 where one of them is zero.

    A large mean activation makes it high for any reconstruction: read explained variance first.

    Range: [−1, 1]. Higher is better. Source: SAEBench (arXiv 2503.09532), ``cossim``.
    """
    return means.ratio("cosine", "tokens")
