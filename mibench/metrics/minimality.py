"""Whether every edge of a circuit is needed: what faithfulness loses when one edge is removed alone.

Of the circuits of 1 % and of 5 % under the absolute ranking, up to 30 edges each are drawn (`tracks.extras`) and
removed one at a time. Wang et al. ask it of every node after removing others that do the same; here nothing else is
removed, so edges that stand in for each other count as idle.
"""

from __future__ import annotations

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.measured import Removals
from mibench.metrics.metric import metric

IDLE = 1e-3
"""An edge is idle if removing it moves faithfulness by less: a thousandth of what the model does."""


@metric(
    name="idle_share_1pct", version=1, track="circuit", unit="", higher_is_better=False, diagnostic=True,
    of="minimality", ranking="absolute", size=0.01, ceiling=0.0,
)  # fmt: skip
def idle_share_1pct(removals: Removals) -> FloatArray:
    """Share of sampled edges e of the 1 % circuit C with |f(C) − f(C∖e)| < 0.001.

    Range: [0, 1]. Lower is better. Source: Wang et al. 2022 (arXiv 2211.00593), minimality with K = ∅, sampled.
    """
    return idle_share(removals)


@metric(
    name="idle_share_5pct", version=1, track="circuit", unit="", higher_is_better=False, diagnostic=True,
    of="minimality", ranking="absolute", size=0.05, ceiling=0.0,
)  # fmt: skip
def idle_share_5pct(removals: Removals) -> FloatArray:
    """Share of sampled edges e of the 5 % circuit C with |f(C) − f(C∖e)| < 0.001.

    Range: [0, 1]. Lower is better. Source: Wang et al. 2022 (arXiv 2211.00593), minimality with K = ∅, sampled.
    """
    return idle_share(removals)


@metric(
    name="edge_effect_1pct", version=1, track="circuit", unit="", higher_is_better=None,
    of="minimality", ranking="absolute", size=0.01,
)  # fmt: skip
def edge_effect_1pct(removals: Removals) -> FloatArray:
    """Median over sampled edges e of the 1 % circuit C of |f(C) − f(C∖e)|.

    Range: [0, inf). Neither end is better: the more edges, the less each does. Source: as `idle_share_1pct`.
    """
    return edge_effect(removals)


@metric(
    name="edge_effect_5pct", version=1, track="circuit", unit="", higher_is_better=None,
    of="minimality", ranking="absolute", size=0.05,
)  # fmt: skip
def edge_effect_5pct(removals: Removals) -> FloatArray:
    """Median over sampled edges e of the 5 % circuit C of |f(C) − f(C∖e)|.

    Range: [0, inf). Neither end is better: the more edges, the less each does. Source: as `idle_share_5pct`.
    """
    return edge_effect(removals)


def idle_share(removals: Removals) -> FloatArray:
    """Share of the edges whose removal moves faithfulness by less than `IDLE`. `[...]`."""
    return np.asarray((_effects(removals) < IDLE).mean(axis=-1))


def edge_effect(removals: Removals) -> FloatArray:
    """Median change of faithfulness on removing an edge. `[...]`."""
    return np.asarray(np.median(_effects(removals), axis=-1))


def _effects(removals: Removals) -> FloatArray:
    return np.abs(removals.circuit[..., None] - removals.without)
