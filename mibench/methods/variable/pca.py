"""Principal components of the activations."""

from __future__ import annotations

import numpy as np

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.sites import Site
from mibench.methods.alignment.settings import Count
from mibench.methods.method import method
from mibench.methods.subspaces.directions import principal, rotation, stored
from mibench.methods.subspaces.fits import Fit, Unfit, fit_sites
from mibench.methods.subspaces.samples import Samples
from mibench.methods.variable_view import VariableView


@method(track="variable", name="pca", version=1, needs=("train",), levels=())
def pca(view: VariableView, *, k: Count = None) -> Featurizers:
    """Swap the k directions of largest variance: f = (x − mean) V, V the leading eigenvectors of the covariance.

    From base and source activations of the training rows, of all counterfactual sets, by SVD in float64; every token
    of a position is one sample. Activations are centred and not scaled; MIB's basis is of z-scored activations,
    applied to raw ones. The largest entry of each direction is positive. Directions within rounding of 0 are left
    out, so k is less where there are few samples. No label is used. ``variance`` in the artifact's meta is the share
    that V explains. Cost: 1 forward pass a base and a source prompt, and an SVD a site. Source: Pearson (1901); as a
    basis for features, MIB (Mueller et al. 2025), arXiv 2504.13151.

    Args:
        view: The cell's view.
        k: Number of directions; None: the task's default.
    """

    def fit(site: Site, samples: Samples) -> Fit:
        wanted = view.size(site, k)
        columns, extents = principal(samples.centred, samples.noise)
        if not len(extents):
            raise Unfit("its activations are the same on all prompts")
        mean = Operation("affine", {"mean": stored(samples.values.mean(0)), "scale": _ones(view.width(site))})
        explained = float(np.square(extents[:wanted]).sum() / np.square(extents).sum())
        kept = columns[:, :wanted]
        return Fit((mean, rotation(kept)), kept.shape[1], {"variance": explained})

    return fit_sites(view, fit)


def _ones(width: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.ones(width, dtype=np.float32)
