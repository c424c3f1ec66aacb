"""How well a dictionary's decoder recovers the true features: cosines and one-to-one matchings."""

from __future__ import annotations

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.matching import Matching, closest
from mibench.metrics.sae.terms import Terms

RECOVERED = 0.9
"""Cosine from which a true feature counts as recovered."""
SPLIT = 0.7
"""Cosine from which a latent counts as one of the parts of its feature."""


@metric(name="mmcs", version=1, track="sae", unit="", higher_is_better=True)
def mmcs(cosines: FloatArray) -> Terms:
    """Mean over true features of the largest cosine of any decoder row: ``mean_i max_j cos(w_j, d_i)``.

    Wide random dictionaries score high where there are few entries: read it with its floor.

    Range: [−1, 1]; 512 random rows reach .37 for 512 features in 64 entries (absolute: .39). Higher is better.
    Source: Sharkey et al. 2022, Taking features out of superposition with sparse autoencoders.

    Args:
        cosines: ``[latents, features]``; absolute where codes may be negative.
    """
    return Terms(cosines.max(axis=0), "true features")


@metric(name="mcc_decoder", version=1, track="sae", unit="", higher_is_better=True)
def mcc_decoder(matching: Matching) -> Terms:
    """Mean cosine of matched decoder rows and true features, one-to-one, over ``min(latents, features)`` pairs.

    Range: [−1, 1]; 4,096 random rows reach .142 for 16,384 features in 768 entries (absolute: .148). Higher is better.
    Source: SynthSAEBench (arXiv 2602.14687); matching: Kuhn 1955.

    Args:
        matching: By cosine.
    """
    return Terms(matching.similarity[matching.matched], "true features")


@metric(name="mcc_codes", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def mcc_codes(matching: Matching) -> Terms:
    """Mean ``|correlation|`` of matched latents and true codes, one-to-one, over ``min(latents, features)`` pairs.

    A latent that never fires has correlation 0.

    Range: [0, 1]. Higher is better. Source: Hyvärinen and Morioka 2016 (arXiv 1605.06336).

    Args:
        matching: By absolute correlation.
    """
    return Terms(matching.similarity[matching.matched], "true features")


@metric(name="recovery_at_90", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def recovery_at_90(matching: Matching) -> Terms:
    """Share of all true features whose matched decoder row has a cosine of .9 or more.

    Features without a latent, where there are fewer latents, are not recovered.

    Range: [0, 1]; random dictionaries reach 0. Higher is better. Source: mibench, after SynthSAEBench
    (arXiv 2602.14687).

    Args:
        matching: By cosine.
    """
    return Terms(_recovered(matching), "true features")


@metric(name="recovery_at_90_weighted", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def recovery_at_90_weighted(matching: Matching, rates: FloatArray) -> Terms:
    """`recovery_at_90`, each true feature weighted by how often it fires: ``Σ p_i · recovered_i / Σ p_i``.

    The share of what fires that has a latent of its own.

    Range: [0, 1]. Higher is better. Source: mibench.

    Args:
        matching: By cosine.
        rates: How often each true feature fires ``[features]``.
    """
    return Terms(_recovered(matching) * rates, "true features", rates, "no feature fires")


@metric(name="uniqueness", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def uniqueness(cosines: FloatArray) -> Terms:
    """Number of true features that are the closest of some decoder row, over the number of rows.

    Each row counts 1 over the number of rows with the same closest feature. Below 1: duplicates, or split features.

    Range: (0, 1]; a random dictionary of 512 latents reaches .64 for 512 features in 64 entries. Higher is better.
    Source: SynthSAEBench (arXiv 2602.14687).

    Args:
        cosines: ``[latents, features]``; absolute where codes may be negative.
    """
    best = closest(cosines)
    sharing = np.bincount(best, minlength=cosines.shape[1])
    return Terms(1.0 / sharing[best], "latents")


@metric(name="splitting", version=1, track="sae", unit="", higher_is_better=False, ceiling=1.0)
def splitting(cosines: FloatArray) -> Terms:
    """Latents a true feature, over features that have any: rows closest to it with a cosine above .7.

    Range: [1, ∞); 1 where each feature has one latent. Lower is better, among dictionaries that recover the same
    features. Source: Bricken et al. 2023, Towards monosemanticity.

    Args:
        cosines: ``[latents, features]``; absolute where codes may be negative.
    """
    best = closest(cosines)
    close = cosines[np.arange(len(best)), best] > SPLIT
    parts = np.bincount(best[close], minlength=cosines.shape[1]).astype(np.float64)
    return Terms(parts, "true features", (parts > 0).astype(np.float64), "no decoder row is within .7 of a feature")


def _recovered(matching: Matching) -> FloatArray:
    return (matching.similarity >= RECOVERED).astype(np.float64)
