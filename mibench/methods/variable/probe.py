"""The span of a linear probe's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize
from scipy.special import log_softmax

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.errors import MethodError
from mibench.core.sites import Site
from mibench.methods.alignment.settings import Count
from mibench.methods.method import method
from mibench.methods.subspaces.classes import Classes, classes_of
from mibench.methods.subspaces.directions import principal, rotation
from mibench.methods.subspaces.fits import Fit, Unfit, fit_sites
from mibench.methods.subspaces.samples import Samples
from mibench.methods.variable_view import VariableView

Array = NDArray[np.float64]
_STEPS, _GRADIENT, _RANK = 5000, 1e-7, 1e-6


@method(track="variable", name="probe", version=1, needs=("train",), levels=())
def probe(
    view: VariableView,
    *,
    k: Count = None,
    l2: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 0.01,
) -> Featurizers:
    """Swap what a linear probe of the variable reads: x' = x + (x_source − x) V Vᵀ, V spanning its weights.

    Multinomial logistic regression of the variable's value on base and source activations of the training rows:
    lowest mean cross-entropy (nats) + l2 / 2 · ‖W‖², activations centred and divided by one number, which makes the
    mean variance of a coordinate 1; L-BFGS in float64, no penalty on biases. V are the right singular vectors of W
    ``[classes, width]``; at most classes − 1. What a probe reads need not be what the model uses: that is the question
    here. ``accuracy`` in the artifact's meta is the probe's on its training samples. Cost: 1 forward pass a base and a
    source prompt, and a regression a site. Source: Alain, Bengio (2016), arXiv 1610.01644; swapping a probe's
    direction: Elazar et al. (2020), arXiv 2006.00995 (who remove it).

    Args:
        view: The cell's view.
        k: Most directions to keep, the longest of W; None: the task's default.
        l2: Strength of the penalty.
    """

    def fit(site: Site, samples: Samples) -> Fit:
        classes = classes_of(samples)
        regression = regress(classes, l2)
        columns, extents = principal(regression.weights)
        if not extents.size or extents[0] == 0:
            raise Unfit("the probe reads nothing there")
        kept = columns[:, extents > _RANK * extents[0]][:, : view.size(site, k)]
        return Fit((rotation(kept),), kept.shape[1], {"accuracy": regression.accuracy})

    return fit_sites(view, fit)


@dataclass(frozen=True)
class Regression:
    """A fitted probe.

    Attributes:
        weights: ``[classes, width]``; only their directions matter here.
        accuracy: Share of its own samples that it gets right.
    """

    weights: Array
    accuracy: float


def regress(classes: Classes, l2: float) -> Regression:
    """Fit the probe.

    Raises:
        Unfit: The activations do not vary.
        MethodError: The optimiser does not converge.
    """
    coordinates, columns = _coordinates(classes)
    onehot = np.eye(len(classes.names))[classes.places]
    problem = _Problem(coordinates, onehot, l2)
    start = np.zeros(onehot.shape[1] * (coordinates.shape[1] + 1))
    found = minimize(
        problem, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS, "gtol": _GRADIENT, "ftol": 0.0}
    )
    if np.abs(found.jac).max() > 100 * _GRADIENT:
        raise MethodError("A probe does not converge.", why=f"{found.message}.", do="Raise l2.")
    weights, biases = problem.parts(found.x)
    right = (coordinates @ weights.T + biases).argmax(1) == classes.places
    return Regression(weights @ columns.T, float(right.mean()))


def _coordinates(classes: Classes) -> tuple[Array, Array]:
    """Scaled samples ``[samples, rank]`` in an orthonormal basis ``[width, rank]`` of their span, where weights lie."""
    centred = classes.values - classes.values.mean(0)
    columns, extents = principal(centred, classes.noise)
    if not extents.size:
        raise Unfit("its activations are the same on all prompts")
    scale = np.sqrt(np.square(centred).mean())
    return centred @ columns / scale, columns


@dataclass(frozen=True)
class _Problem:
    """Cross-entropy and penalty with their gradient; weights and biases lie behind each other in one vector."""

    coordinates: Array
    onehot: Array
    l2: float

    def parts(self, vector: Array) -> tuple[Array, Array]:
        classes = self.onehot.shape[1]
        table = vector.reshape(classes, -1)
        return table[:, :-1], table[:, -1]

    def __call__(self, vector: Array) -> tuple[float, Array]:
        weights, biases = self.parts(vector)
        logs = log_softmax(self.coordinates @ weights.T + biases, axis=1)
        n = len(self.onehot)
        loss = -float((logs * self.onehot).sum()) / n + self.l2 / 2 * float(np.square(weights).sum())
        excess = (np.exp(logs) - self.onehot).T / n
        gradient = np.concatenate([excess @ self.coordinates + self.l2 * weights, excess.sum(1)[:, None]], axis=1)
        return loss, gradient.ravel()
