"""Reconstruction, sparsity and scale of codes, against those of the true codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.code_sums import CodeSums
from mibench.metrics.sae.matching import Matching
from mibench.metrics.sae.terms import Terms


@dataclass(frozen=True, eq=False)
class SampleColumns:
    """Numbers of each sample.

    Attributes:
        squared_error: ``‖x − x̂‖²``.
        deviation: ``‖x − mean x‖²``, the mean over all samples.
        norm: ``‖x‖``.
        reconstructed_norm: ``‖x̂‖``.
        l0: Latents that are not 0.
        true_l0: True features that fire.
    """

    squared_error: FloatArray
    deviation: FloatArray
    norm: FloatArray
    reconstructed_norm: FloatArray
    l0: FloatArray
    true_l0: FloatArray


@metric(name="recovered_variance", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def recovered_variance(samples: SampleColumns) -> Terms:
    """R² of synthetic activations: ``1 − Σ ‖x − x̂‖² / Σ ‖x − mean x‖²``, one mean for all samples, float64.

    Range: (−∞, 1]; the mean itself gives 0. Higher is better. Source: coefficient of determination.

    Args:
        samples: Numbers of each sample.
    """
    return Terms(samples.deviation - samples.squared_error, "samples", samples.deviation, "all samples are the same")


@metric(name="recovered_norm", version=1, track="sae", unit="", higher_is_better=None)
def recovered_norm(samples: SampleColumns) -> Terms:
    """Mean of ``‖x̂‖ / ‖x‖`` over synthetic activations that are not 0.

    Range: [0, ∞); 1 is right, below is shrinkage, and neither end is better. Source: SAEBench (arXiv 2503.09532).

    Args:
        samples: Numbers of each sample.
    """
    real = samples.norm > 0
    ratios = np.divide(samples.reconstructed_norm, samples.norm, out=np.zeros(len(real)), where=real)
    return Terms(ratios, "samples", real.astype(np.float64), "all samples are 0")


@metric(name="l0_gap", version=1, track="sae", unit="latents", higher_is_better=None)
def l0_gap(samples: SampleColumns) -> Terms:
    """Mean number of latents that fire less the mean number of true features that fire.

    Range: (−∞, ∞); 0 is right. Above: features are split; below: they are mixed or missed. Neither end is better.
    Source: Chanin and Garriga-Alonso 2025 (arXiv 2508.16560).

    Args:
        samples: Numbers of each sample.
    """
    return Terms(samples.l0 - samples.true_l0, "samples")


@metric(name="latent_slope", version=1, track="sae", unit="", higher_is_better=None)
def latent_slope(sums: CodeSums, matching: Matching) -> Terms:
    """Least-squares slope through 0 of a matched latent on the true magnitude, ``Σ f z / Σ z²``; mean over features.

    Latents are in units of the activation (decoder rows of norm 1), so 1 is right; below 1: shrinkage, or firings that
    are missed. Neither end is better. Range: (−∞, ∞). Source: mibench, after Wright and Sharkey 2024 (shrinkage).

    Args:
        sums: Over samples.
        matching: By cosine.
    """
    features = matching.matched[sums.code_square[matching.matched] > 0]
    slopes = sums.products[matching.latent[features], features] / sums.code_square[features]
    return Terms(slopes, "true features", missing="no matched feature fires")


@metric(name="dead_in_sample", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def dead_in_sample(sums: CodeSums) -> Terms:
    """Share of latents that never fire in the evaluated synthetic samples.

    Range: [0, 1]; falls with the number of samples. Lower is better. Source: Bricken et al. 2023, Towards
    monosemanticity.

    Args:
        sums: Over samples.
    """
    return Terms((sums.latent_fired == 0).astype(np.float64), "latents")
