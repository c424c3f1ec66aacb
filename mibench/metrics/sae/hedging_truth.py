"""Hedging where the truth is known: a latent mixes features that fire together."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.matching import Ints, closest
from mibench.metrics.sae.relations import lines, trees
from mibench.metrics.sae.terms import Terms


@metric(name="hedging_truth", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def hedging_truth(cosines: FloatArray, parents: Ints) -> Terms:
    """How much more a latent points to features that fire together with its own than to unrelated ones.

    For a latent closest to feature i, with its ``m`` ancestors and descendants R: ``max_{k∈R} cos(w, d_k)`` minus the
    expected maximum over ``m`` features drawn from other trees, so that chance gives 0 whatever m is. Mean over latents
    whose feature has relatives.

    Range: [−2, 2]; 0 where relatives are not mixed in. Lower is better. Source: Chanin et al. 2025 (arXiv 2505.11756),
    with the truth known.

    Args:
        cosines: ``[latents, features]``; absolute where codes may be negative.
        parents: Parent of each true feature, −1 for none ``[features]``.
    """
    best, related, roots = closest(cosines), lines(parents), trees(parents)
    scored = [latent for latent in range(len(best)) if len(related[best[latent]])]
    found = [_excess(cosines[latent], related[best[latent]], roots != roots[best[latent]]) for latent in scored]
    usable = np.array([value for value in found if value is not None], dtype=np.float64)
    return Terms(usable, "latents", missing="no latent is closest to a feature that fires together with others by rule")


def expected_maximum(values: FloatArray, draws: int) -> float:
    """Return the expected largest of ``draws`` of the values, drawn without replacement."""
    ordered = np.sort(values)
    rank = np.arange(draws, len(ordered) + 1)
    # The k-th smallest is the largest of all drawn in C(k − 1, draws − 1) of C(n, draws) ways.
    ways = gammaln(rank) - gammaln(rank - draws + 1) - gammaln(draws)
    total = gammaln(len(ordered) + 1) - gammaln(len(ordered) - draws + 1) - gammaln(draws + 1)
    return float(np.exp(ways - total) @ ordered[draws - 1 :])


def _excess(row: FloatArray, related: Ints, unrelated: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    """None where there are fewer unrelated features than related ones."""
    if int(unrelated.sum()) < len(related):
        return None
    return float(row[related].max()) - expected_maximum(row[unrelated], len(related))
