"""How alike the directions of latents are. Values are NaN where no latent has the direction in question."""

from __future__ import annotations

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric


@metric(name="decoder_mean_cosine", version=1, track="sae", unit="", higher_is_better=None)
def decoder_mean_cosine(cosines: FloatArray) -> float:
    """Mean of ``|cos|`` over all pairs of decoder rows.

    Latents that mix features have correlated rows: over dictionaries that differ in L0 only it is lowest near the true
    sparsity. Random rows of d entries have about ``√(2 / (π·d))``.

    Range: [0, 1]. Neither end is better by itself. Source: Chanin and Garriga-Alonso 2025, Sparse but wrong
    (arXiv 2508.16560).

    Args:
        cosines: Mean ``|cos|`` of each row with the others, NaN for rows of zeros, ``[latents]``.
    """
    return _mean(cosines)


@metric(name="decoder_max_cosine", version=1, track="sae", unit="", higher_is_better=None)
def decoder_max_cosine(cosines: FloatArray) -> float:
    """Mean over latents of the largest cosine of a decoder row with another one.

    Range: [−1, 1]; near 1 where latents come twice. Neither end is better. Source: SAEBench (arXiv 2503.09532),
    ``average_max_decoder_cosine_sim``.

    Args:
        cosines: Largest cosine of each row with another, NaN for rows of zeros, ``[latents]``.
    """
    return _mean(cosines)


@metric(name="encoder_decoder_cosine", version=1, track="sae", unit="", higher_is_better=None)
def encoder_decoder_cosine(cosines: FloatArray) -> float:
    """Mean over latents of the cosine of encoder column and decoder row; none where they are of different places.

    Range: [−1, 1]; it falls as encoders learn to tell correlated features apart. Neither end is better. Source:
    SAEBench (arXiv 2503.09532), ``encoder_decoder_cosine_sim``.

    Args:
        cosines: Of each latent, NaN where undefined, ``[latents]``.
    """
    return _mean(cosines)


def _mean(values: FloatArray) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean()) if len(kept) else float("nan")
