"""The truth behind synthetic activations: features with directions, rates, relations and magnitudes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from mibench.tasks.synthetic.directions import Float64, directions, unit_rows
from mibench.tasks.synthetic.hierarchy import NO_PARENT, Ints, parents_of, possible_rates, wanted_rates
from mibench.tasks.synthetic.recipe import Correlation, Normal, Recipe


@dataclass(frozen=True, eq=False)
class Truth:
    """True features.

    Attributes:
        recipe: What they were made from.
        directions: Unit rows ``[features, width]``.
        rates: How often each fires ``[features]``.
        parents: Of each feature, −1 for none ``[features]``.
        loadings: On the common factors, of the features without parent ``[sources, rank]``; None: independent.
        means: Mean magnitude before what is not positive is drawn again ``[features]``; of a uniform law, 0.5.
        spreads: Its standard deviation likewise ``[features]``; of a uniform law, unused zeros.
        bias: Added to every activation ``[width]``.
    """

    recipe: Recipe
    directions: Float64
    rates: Float64
    parents: Ints
    loadings: Float64 | None
    means: Float64
    spreads: Float64
    bias: Float64

    @cached_property
    def sources(self) -> Ints:
        """Features without parent, ascending ``[sources]``."""
        return np.flatnonzero(self.parents == NO_PARENT)

    @cached_property
    def first_child(self) -> Ints:
        """The first of each feature's children, which stand side by side; −1: it has none ``[features]``."""
        found = np.full(len(self.parents), NO_PARENT, dtype=np.int64)
        children = np.flatnonzero(self.parents != NO_PARENT)[::-1]
        found[self.parents[children]] = children
        return found

    @cached_property
    def chances(self) -> NDArray[np.float64]:
        """Cumulated chance of each child, given that its parent fires ``[features, branching]``; 0 without children."""
        forest = self.recipe.forest
        branching = forest.branching if forest is not None else 1
        found = np.zeros((len(self.parents), branching))
        parents = np.flatnonzero(self.first_child != NO_PARENT)
        children = self.first_child[parents][:, None] + np.arange(branching)
        found[parents] = np.cumsum(self.rates[children], axis=1) / self.rates[parents][:, None]
        return found

    @property
    def mean_active(self) -> float:
        """Expected number of features that fire at a time, the true L0."""
        return float(self.rates.sum())


@lru_cache(maxsize=4)
def make_truth(recipe: Recipe) -> Truth:
    """Return the truth of a recipe; the same recipe gives the same truth.

    Each part has a generator of its own, so that changing one part leaves the others as they are.
    """
    parts = [np.random.Generator(np.random.PCG64(seed)) for seed in np.random.SeedSequence(recipe.seed).spawn(4)]
    parents = parents_of(recipe.forest, recipe.features)
    means, spreads = _magnitudes(recipe, parts[2])
    return Truth(
        recipe=recipe,
        directions=directions(recipe.features, recipe.width, recipe.spreading, parts[0]),
        rates=possible_rates(wanted_rates(recipe.firing, recipe.features), parents),
        parents=parents,
        loadings=_loadings(recipe.correlation, int((parents == NO_PARENT).sum()), parts[1]),
        means=means,
        spreads=spreads,
        bias=recipe.bias * unit_rows(parts[3].standard_normal((1, recipe.width)))[0],
    )


def _loadings(correlation: Correlation | None, sources: int, generator: np.random.Generator) -> Float64 | None:
    """Loadings, those of a feature shortened where they would explain more than 90 % of it."""
    if correlation is None:
        return None
    drawn = correlation.scale * generator.standard_normal((sources, correlation.rank))
    shared = np.sqrt(np.einsum("sr,sr->s", drawn, drawn))
    return np.asarray(drawn * np.minimum(1.0, np.sqrt(0.9) / shared)[:, None])


def _magnitudes(recipe: Recipe, generator: np.random.Generator) -> tuple[Float64, Float64]:
    if not isinstance(recipe.magnitudes, Normal):
        return np.full(recipe.features, 0.5), np.zeros(recipe.features)
    law = recipe.magnitudes
    means = np.linspace(law.first, law.last, recipe.features)
    return means, np.abs(law.spread[0] + law.spread[1] * generator.standard_normal(recipe.features))
