"""Draw activations with the features that are in them; a batch is fixed by its key, so that any can be drawn first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import ndtri

from mibench.tasks.synthetic.hierarchy import NO_PARENT, Ints
from mibench.tasks.synthetic.recipe import Uniform
from mibench.tasks.synthetic.truth import Truth

Float32 = NDArray[np.float32]

_CELLS = 2_000_000
"""Draws of features without parent at a time: bounded memory, within the processor's cache."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Activations and the codes that they were made of.

    Attributes:
        x: Activations ``[n, width]``.
        codes: Magnitudes of the features that fire ``[n, features]``, sparse, rows sorted.
    """

    x: Float32
    codes: sp.csr_array


class Sampler:
    """Draws from a law.

    Args:
        truth: The features.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth = truth

    def draw(self, n: int, key: Sequence[int]) -> Sample:
        """Return ``n`` samples, fixed by ``n``, the truth and ``key``; samples of different keys are independent."""
        generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self._truth.recipe.seed, *key])))
        rows, features, values = self._events(n, generator)
        order = np.lexsort((features, rows))
        pointers = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
        shape = (n, self._truth.recipe.features)
        codes = sp.csr_array((values[order], features[order], pointers), shape=shape)
        return Sample(self._activations(codes, generator), codes)

    @cached_property
    def _directions(self) -> Float32:
        return self._truth.directions.astype(np.float32)

    @cached_property
    def _thresholds(self) -> tuple[Float32, Float32]:
        """What a source's own noise has to stay below: ``first − factors @ second``.

        ``[sources]``, ``[rank, sources]``.
        """
        truth = self._truth
        loadings = np.zeros((len(truth.sources), 0)) if truth.loadings is None else truth.loadings
        own = np.sqrt(1 - np.einsum("sr,sr->s", loadings, loadings))
        below = ndtri(truth.rates[truth.sources]) / own
        return below.astype(np.float32), (loadings / own[:, None]).T.astype(np.float32)

    def _activations(self, codes: sp.csr_array, generator: np.random.Generator) -> Float32:
        truth = self._truth
        x = np.asarray(codes @ self._directions, dtype=np.float32) + truth.bias.astype(np.float32)
        if truth.recipe.noise:
            x += np.float32(truth.recipe.noise) * generator.standard_normal(x.shape, dtype=np.float32)
        return x

    def _events(self, n: int, generator: np.random.Generator) -> tuple[Ints, Ints, Float32]:
        """Sample, feature and magnitude of everything that fires, generation by generation."""
        rows, places = self._sources(n, generator)
        features = self._truth.sources[places]
        factors = np.ones(len(rows), dtype=np.float32)
        found: list[tuple[Ints, Ints, Float32]] = []
        while len(rows):
            values = self._magnitudes(features, generator) * factors
            found.append((rows, features, values))
            parents, children = self._children(features, generator)
            rows, features, factors = rows[parents], children, self._factors(values[parents], features[parents])
        if not found:
            return rows, features, factors
        all_rows, all_features, all_values = zip(*found, strict=True)
        return np.concatenate(all_rows), np.concatenate(all_features), np.concatenate(all_values)

    def _sources(self, n: int, generator: np.random.Generator) -> tuple[Ints, Ints]:
        """Sample and place among the sources of those that fire."""
        step = max(1, _CELLS // max(1, len(self._truth.sources)))
        drawn = [self._fired(min(step, n - start), generator) for start in range(0, n, step)]
        rows = [place[0] + start for place, start in zip(drawn, range(0, n, step), strict=True)]
        return np.concatenate(rows), np.concatenate([place[1] for place in drawn])

    def _fired(self, n: int, generator: np.random.Generator) -> tuple[Ints, Ints]:
        if self._truth.loadings is None:
            rates = self._truth.rates[self._truth.sources].astype(np.float32)
            fires = generator.random((n, len(rates)), dtype=np.float32) < rates
        else:
            below, slopes = self._thresholds
            factors = generator.standard_normal((n, len(slopes)), dtype=np.float32)
            fires = generator.standard_normal((n, len(below)), dtype=np.float32) < below - factors @ slopes
        # Faster than two-dimensional nonzero.
        return np.divmod(np.flatnonzero(fires), fires.shape[1])

    def _children(self, features: Ints, generator: np.random.Generator) -> tuple[Ints, Ints]:
        """Which events have a child that fires, and which child."""
        able = np.flatnonzero(self._truth.first_child[features] != NO_PARENT)
        parents = features[able]
        chosen = (generator.random(len(able))[:, None] >= self._truth.chances[parents]).sum(axis=1)
        fires = chosen < self._truth.chances.shape[1]
        return able[fires], self._truth.first_child[parents[fires]] + chosen[fires]

    def _factors(self, values: Float32, features: Ints) -> Float32:
        """What the magnitudes of their children are multiplied by."""
        forest = self._truth.recipe.forest
        if forest is None or not forest.scaled:
            return np.ones(len(values), dtype=np.float32)
        return np.asarray(values / self._truth.means[features], dtype=np.float32)

    def _magnitudes(self, features: Ints, generator: np.random.Generator) -> Float32:
        if isinstance(self._truth.recipe.magnitudes, Uniform):
            # 1 − [0, 1): never 0, so that what fires is what has a magnitude.
            return 1 - generator.random(len(features), dtype=np.float32)
        means, spreads = self._truth.means[features], self._truth.spreads[features]
        values = means + spreads * generator.standard_normal(len(features))
        while len(again := np.flatnonzero(values <= 0)):
            values[again] = means[again] + spreads[again] * generator.standard_normal(len(again))
        return values.astype(np.float32)
