"""Linear discriminant analysis with shrinkage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.sites import Site
from mibench.methods.alignment.settings import Count
from mibench.methods.method import method
from mibench.methods.subspaces.classes import Classes, classes_of
from mibench.methods.subspaces.directions import principal, stored
from mibench.methods.subspaces.fits import Fit, Unfit, fit_sites
from mibench.methods.subspaces.samples import Samples
from mibench.methods.variable_view import VariableView

Array = NDArray[np.float64]


@method(track="variable", name="lda", version=1, needs=("train",), levels=())
def lda(
    view: VariableView,
    *,
    k: Count = None,
    shrinkage: Annotated[float, Field(gt=0, le=1)] = 0.1,
) -> Featurizers:
    """Read along the Fisher directions, write along the class means: x' = x + (x_source − x) W A, A W = 1.

    S = (1 − γ) S_within + γ tr(S_within) / width · 1; V are the right singular vectors of the class means (as in
    mean-difference) in coordinates that make S the identity; W = S^−½ V ``[width, k]`` reads, A = Vᵀ S^½ ``[k,
    width]`` writes. W A is an oblique projection onto the span of the class means, along what S says is unrelated to
    them; an orthonormalised W would write along directions that carry no class mean. γ = 1 is mean-difference.
    A has the patterns that belong to the filters W (Haufe et al. 2014). Cost: 1 forward pass a base and a source
    prompt, and an SVD of the samples a site. Source: Fisher (1936); oblique projections: Belrose et al. (2023), arXiv
    2306.03819.

    Args:
        view: The cell's view.
        k: Most directions to keep, at most classes − 1; None: the task's default.
        shrinkage: γ.
    """

    def fit(site: Site, samples: Samples) -> Fit:
        classes = classes_of(samples)
        if not principal(classes.between, samples.noise)[1].size:
            raise Unfit("the class means agree")
        scatter = scatter_of(classes, shrinkage)
        columns, extents = principal(scatter.power(classes.between, -0.5))
        kept = columns[:, extents > _RANK * extents[0]][:, : view.size(site, k)]
        weight, inverse = scatter.power(kept.T, -0.5).T, scatter.power(kept.T, 0.5)
        return Fit((Operation("linear", {"weight": stored(weight), "inverse": stored(inverse)}),), kept.shape[1])

    return fit_sites(view, fit)


_RANK = 1e-9
"""Share of the longest extent below which a direction is rounding."""


@dataclass(frozen=True)
class Scatter:
    """The shrunk covariance within classes, by its eigenvectors.

    Attributes:
        vectors: Eigenvectors with samples, orthonormal rows ``[rank, width]``.
        values: Their eigenvalues, ``[rank]``.
        rest: Eigenvalue of all that is orthogonal to them.
    """

    vectors: Array
    values: Array
    rest: float

    def power(self, rows: Array, exponent: float) -> Array:
        """``rows`` ``[n, width]`` times a power of the covariance, which is never formed."""
        change = self.values**exponent - self.rest**exponent
        return np.asarray(rows * self.rest**exponent + rows @ self.vectors.T * change @ self.vectors, dtype=np.float64)


def scatter_of(classes: Classes, shrinkage: float) -> Scatter:
    """Covariance within classes, shrunk towards its mean variance; the identity where classes do not vary."""
    within = classes.within / np.sqrt(len(classes.places))
    _, extents, vectors = np.linalg.svd(within, full_matrices=False)
    variance = float(np.square(extents).sum()) / within.shape[1]
    if np.sqrt(variance) <= classes.noise / np.sqrt(within.shape[1]):
        return Scatter(vectors[:0], extents[:0], 1.0)
    return Scatter(vectors, (1 - shrinkage) * np.square(extents) + shrinkage * variance, shrinkage * variance)
