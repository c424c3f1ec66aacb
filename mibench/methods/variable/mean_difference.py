"""Differences between class means."""

from __future__ import annotations

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Site
from mibench.methods.alignment.settings import Count
from mibench.methods.method import method
from mibench.methods.subspaces.classes import classes_of
from mibench.methods.subspaces.directions import principal, rotation
from mibench.methods.subspaces.fits import Fit, Unfit, fit_sites
from mibench.methods.subspaces.samples import Samples
from mibench.methods.variable_view import VariableView


@method(track="variable", name="mean-difference", version=1, needs=("train",), levels=())
def mean_difference(view: VariableView, *, k: Count = None) -> Featurizers:
    """Swap the span of the class means: x' = x + (x_source − x) V Vᵀ, V spanning mean(x | value) − mean(x).

    A class is a value of the variable, by the causal model, on a base or source prompt of the training rows; values
    that occur once are left out. V are the right singular vectors of the class means, weighted by √ of the class's
    share: one direction for a binary variable, at most classes − 1. A site whose means agree up to rounding is left
    out. Cost: 1 forward pass a base and a source prompt, and an SVD of the means a site. Source: Marks, Tegmark (2023),
    arXiv 2310.06824 (mass-mean direction of a binary variable).

    Args:
        view: The cell's view.
        k: Most directions to keep, those along which means differ most; None: the task's default.
    """

    def fit(site: Site, samples: Samples) -> Fit:
        columns, _ = principal(classes_of(samples).between, samples.noise)
        if not columns.shape[1]:
            raise Unfit("the class means agree")
        kept = columns[:, : view.size(site, k)]
        return Fit((rotation(kept),), kept.shape[1])

    return fit_sites(view, fit)
