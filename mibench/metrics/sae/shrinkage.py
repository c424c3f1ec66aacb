"""Whether reconstructions are too short."""

from __future__ import annotations

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.context_means import ContextMeans


@metric(name="shrinkage", version=1, track="sae", unit="", higher_is_better=None)
def shrinkage(means: ContextMeans) -> FloatArray:
    """Mean over tokens of ``‖x̂‖ / ‖x‖``.

    Range: [0, ∞); 1 is ideal, and below it reconstructions are too short. Neither end is better. Source: SAEBench
    (arXiv 2503.09532), ``l2_ratio``.
    """
    return means.ratio("norm_ratio", "tokens")


@metric(name="reconstruction_bias", version=1, track="sae", unit="", higher_is_better=None)
def reconstruction_bias(means: ContextMeans) -> FloatArray:
    """``E‖x̂‖² / E[x·x̂]``: the inverse of the factor that would make the reconstruction best in mean square.

    Range: [0, ∞) where reconstructions point the right way; 1 is ideal, below it they are too short.
    Neither end is better. Source: Rajamanoharan et al. 2024 (arXiv 2404.16014), equation 10.
    """
    return means.ratio("squared_output", "dot")
