"""How many latents a token takes, and how much of them."""

from __future__ import annotations

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.context_means import ContextMeans


@metric(name="l0", version=1, track="sae", unit="latents", higher_is_better=None)
def l0(means: ContextMeans) -> FloatArray:
    """Mean over tokens of the number of latents that are not 0.

    Every other number is to be read at its L0. Range: [0, number of latents]. Neither end is better.
    Source: SAEBench (arXiv 2503.09532).
    """
    return means.ratio("active", "tokens")


@metric(name="l1", version=1, track="sae", unit="activation", higher_is_better=None)
def l1(means: ContextMeans) -> FloatArray:
    """Mean over tokens of ``Σ|f|``, the latents scaled so that decoder rows have norm 1.

    Range: [0, ∞), in the units of the activation. Neither end is better. Source: mibench; SAEBench
    (arXiv 2503.09532) leaves out the absolute value and takes the decoder as it comes.
    """
    return means.ratio("absolute", "tokens")
