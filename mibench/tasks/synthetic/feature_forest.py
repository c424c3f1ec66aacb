"""Features with a hierarchy, correlations and rates over orders of magnitude (SynthSAEBench)."""

from __future__ import annotations

from mibench.tasks.synthetic.recipe import Correlation, Firing, Forest, Recipe, Spreading


def small_forest(*, seed: int = 0) -> Recipe:
    """Return a law for a CPU: 512 features in 64 entries, 24 trees of depth 2, about 6.6 features at a time."""
    return Recipe(
        features=512,
        width=64,
        firing=Firing(highest=0.2, lowest=0.005),
        forest=Forest(roots=24, branching=3, depth=2),
        correlation=Correlation(rank=8, scale=0.15),
        spreading=Spreading(steps=100, lr=3e-3),
        bias=0.5,
        seed=seed,
    )


def large_forest(*, seed: int = 0) -> Recipe:
    """Return the law of SynthSAEBench-16k: 16,384 features in 768 entries, 128 trees of depth 3, about 35 at a time.

    Its numbers are those of the paper (arXiv 2602.14687), children scaled by their parents as the paper says; the
    artifact released with it leaves that out. The draws are our own.
    """
    return Recipe(
        features=16384,
        width=768,
        firing=Firing(highest=0.4, lowest=5e-4),
        forest=Forest(roots=128, branching=4, depth=3, scaled=True),
        correlation=Correlation(rank=25, scale=0.1),
        spreading=Spreading(steps=100, lr=3e-4),
        bias=0.5,
        seed=seed,
    )
