"""Desiderata-based masking of principal components."""

from __future__ import annotations

import numpy as np

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.methods.alignment.masks import Features, learn_masks
from mibench.methods.alignment.settings import Count, Rate, Sparsities, Variant, sweep_of, training_of
from mibench.methods.method import method
from mibench.methods.subspaces.directions import principal, rotation, stored
from mibench.methods.subspaces.samples import Samples, samples_of
from mibench.methods.variable_view import VariableView


@method(
    track="variable",
    name="dbm-pca",
    version=1,
    needs=("train", "validation", "gradients", "randomness"),
    levels=(),
)
def dbm_pca(
    view: VariableView,
    *,
    sparsities: Sparsities = (0.0, 1e-4, 1e-3, 1e-2),
    epochs: Count = None,
    batch: Count = None,
    lr: Rate = None,
    variant: Variant = "mibench",
) -> Featurizers:
    """Learn which principal components are swapped; what they do not span stays the base's.

    Features are f = (x − mean) V, V the eigenvectors of the covariance of base and source activations of the training
    rows whose variance is above rounding; the mask is that of ``dbm``. Cost: that of ``dbm``, a forward pass of each
    base and source, and an SVD a site. Source: MIB (Mueller et al. 2025), arXiv 2504.13151.

    Args:
        view: The cell's view.
        sparsities: Values of λ; a text has commas between them.
        epochs: Times that each row is seen; None: the task's default.
        batch: Rows a step; None: the task's default.
        lr: Learning rate of the mask; None: the task's default.
        variant: ``mib``: λ = 0 as in ``dbm``, and V are all but the last of the min(samples, width) right singular
            vectors of z-scored activations, yet applied to raw ones.
    """
    basis = mib_components if variant == "mib" else components
    features = {site: basis(samples) for site, samples in samples_of(view, view.sites)}
    return learn_masks(view, features, sweep_of(sparsities, variant, training_of(view, epochs, batch, lr)))


def components(samples: Samples) -> Features:
    """Principal components of a site, at least one: where all samples are equal, swapping it does nothing."""
    columns, extents = principal(samples.centred, -1.0)
    kept = columns[:, : max(1, int((extents > samples.noise).sum()))]
    mean = samples.values.mean(0)
    centring = Operation("affine", {"mean": stored(mean), "scale": stored(np.ones_like(mean))})
    return Features((centring, rotation(kept)), kept.shape[1])


def mib_components(samples: Samples) -> Features:
    """The same by MIB: directions of the correlation matrix, without centring."""
    spread = samples.centred.std(0)
    columns, _ = principal(samples.centred / np.where(spread > 0, spread, 1.0), -1.0)
    kept = columns[:, : max(1, columns.shape[1] - 1)]
    return Features((rotation(kept),), kept.shape[1])
