"""Whether latents fire where their true features do: precision, recall and F1."""

from __future__ import annotations

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.code_sums import CodeSums
from mibench.metrics.sae.matching import Ints, Matching, closest
from mibench.metrics.sae.terms import Terms


@metric(name="latent_precision", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def latent_precision(sums: CodeSums, cosines: FloatArray) -> Terms:
    """Share of a latent's firings in which its closest true feature fires; mean over latents, 0 for a dead one.

    Range: [0, 1]. Higher is better. Source: SynthSAEBench (arXiv 2602.14687).

    Args:
        sums: Over samples.
        cosines: ``[latents, features]``; absolute where codes may be negative.
    """
    best = closest(cosines)
    return Terms(_ratio(_both(sums, best), sums.latent_fired), "latents")


@metric(name="latent_recall", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def latent_recall(sums: CodeSums, cosines: FloatArray) -> Terms:
    """Share of the firings of a latent's closest true feature in which the latent fires; mean over latents.

    Range: [0, 1]. Higher is better. Source: SynthSAEBench (arXiv 2602.14687).

    Args:
        sums: Over samples.
        cosines: ``[latents, features]``; absolute where codes may be negative.
    """
    best = closest(cosines)
    return Terms(_ratio(_both(sums, best), sums.code_fired[best]), "latents")


@metric(name="latent_f1", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def latent_f1(sums: CodeSums, cosines: FloatArray) -> Terms:
    """F1 of a latent's firing for that of its closest true feature, ``2 TP / (2 TP + FP + FN)``; mean over latents.

    0 where neither fires. Latents that share a feature each count, so splitting is not punished: see `feature_f1`.

    Range: [0, 1]. Higher is better. Source: SynthSAEBench (arXiv 2602.14687).

    Args:
        sums: Over samples.
        cosines: ``[latents, features]``; absolute where codes may be negative.
    """
    best = closest(cosines)
    return Terms(_ratio(2 * _both(sums, best), sums.latent_fired + sums.code_fired[best]), "latents")


@metric(name="feature_f1", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def feature_f1(sums: CodeSums, matching: Matching) -> Terms:
    """F1 of the matched latent's firing for that of each true feature; mean over all features, 0 without a latent.

    Range: [0, 1]. Higher is better. Source: mibench, after SynthSAEBench (arXiv 2602.14687).

    Args:
        sums: Over samples.
        matching: By cosine.
    """
    found, latents = np.zeros(sums.features), matching.latent[matching.matched]
    hits = 2 * sums.both[latents, matching.matched].astype(np.float64)
    found[matching.matched] = _ratio(hits, sums.latent_fired[latents] + sums.code_fired[matching.matched])
    return Terms(found, "true features")


def _both(sums: CodeSums, best: Ints) -> FloatArray:
    return sums.both[np.arange(len(best)), best].astype(np.float64)


def _ratio(top: FloatArray, bottom: Ints) -> FloatArray:
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom > 0)
