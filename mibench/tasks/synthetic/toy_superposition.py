"""Toy superposition: independent features, more than there are entries, of uniform magnitude (Elhage et al. 2022)."""

from __future__ import annotations

from mibench.tasks.synthetic.recipe import Firing, Recipe, Spreading, Uniform


def toy_superposition(*, features: int = 64, width: int = 32, rate: float = 0.05, seed: int = 0) -> Recipe:
    """Return the law ``x = Σ_i b_i u_i d_i``: ``b_i ~ Bernoulli(rate)``, ``u_i ~ U(0, 1)``, ``d_i`` random of norm 1.

    Source: Elhage et al. 2022, Toy models of superposition (arXiv 2209.10652).

    Args:
        features: Number of true features.
        width: Entries of an activation.
        rate: How often each feature fires.
        seed: Of the directions.
    """
    firing = Firing(highest=rate, lowest=rate, exponent=0.0)
    return Recipe(features, width, firing, magnitudes=Uniform(), spreading=Spreading(steps=0), seed=seed)
