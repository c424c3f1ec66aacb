"""How often latents are active: on which share of the evaluated tokens, latent by latent.

A latent counts as dead if it was never active on the evaluated tokens: more tokens find fewer dead ones.
"""

from __future__ import annotations

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric


@metric(name="dead", version=1, track="sae", unit="", higher_is_better=False, floor=1.0, ceiling=0.0)
def dead(density: FloatArray) -> float:
    """Share of latents that are active on none of the evaluated tokens, whose number is ``n``.

    Range: [0, 1]. Lower is better, on equally many tokens. Source: SAEBench (arXiv 2503.09532): 1 − ``frac_alive``.

    Args:
        density: Share of tokens on which each latent is active, ``[latents]``.
    """
    return float((density == 0).mean())


@metric(name="density_over_1_percent", version=1, track="sae", unit="", higher_is_better=None)
def density_over_1_percent(density: FloatArray) -> float:
    """Share of latents that are active on more than 1 % of the tokens.

    Range: [0, 1]. Neither end is better. Source: SAEBench (arXiv 2503.09532).
    """
    return float((density > 0.01).mean())


@metric(name="density_over_10_percent", version=1, track="sae", unit="", higher_is_better=None)
def density_over_10_percent(density: FloatArray) -> float:
    """Share of latents that are active on more than 10 % of the tokens: dense latents.

    Range: [0, 1]. Neither end is better, though dense latents are rarely understood. Source: SAEBench
    (arXiv 2503.09532).
    """
    return float((density > 0.1).mean())


@metric(name="density_median", version=1, track="sae", unit="", higher_is_better=None)
def density_median(density: FloatArray) -> float:
    """Share of tokens on which the median latent is active, dead ones included.

    Range: [0, 1]. Neither end is better. Source: mibench.
    """
    return float(np.quantile(density, 0.5))


@metric(name="density_lower_decile", version=1, track="sae", unit="", higher_is_better=None)
def density_lower_decile(density: FloatArray) -> float:
    """Share of tokens that a tenth of the latents stays below, dead ones included.

    Range: [0, 1]. Neither end is better. Source: mibench.
    """
    return float(np.quantile(density, 0.1))


@metric(name="density_upper_decile", version=1, track="sae", unit="", higher_is_better=None)
def density_upper_decile(density: FloatArray) -> float:
    """Share of tokens that a tenth of the latents is above.

    Range: [0, 1]. Neither end is better. Source: mibench.
    """
    return float(np.quantile(density, 0.9))
