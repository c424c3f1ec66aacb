"""Probes for several concepts at once: one logistic regression each, on activations as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mibench.metrics.faithfulness import BoolArray, FloatArray

_STEPS = 2000
_RELATIVE, _SLOPE = 1e-9, 1e-5


@dataclass(frozen=True, eq=False)
class ConceptProbes:
    """A linear classifier for each concept: positive where ``x @ weights[c] + bias[c] > 0``.

    Attributes:
        weights: ``[concepts, width]``
        bias: ``[concepts]``
        strength: C that was used.
    """

    weights: FloatArray
    bias: FloatArray
    strength: float

    @property
    def directions(self) -> FloatArray:
        """Unit weights ``[concepts, width]``; zeros stay zeros."""
        norms = np.linalg.norm(self.weights, axis=1, keepdims=True)
        return np.asarray(np.divide(self.weights, norms, out=np.zeros_like(self.weights), where=norms > 0))

    def scores(self, x: FloatArray) -> FloatArray:
        """Log odds ``[rows, concepts]`` of rows ``[rows, width]``."""
        found: FloatArray = x @ self.weights.T + self.bias
        return found


def f1(said: BoolArray, labels: BoolArray) -> FloatArray:
    """F1 of each column; 0 where nothing is positive and nothing is said to be. ``[rows, concepts] -> [concepts]``."""
    both = (said & labels).sum(axis=0)
    return np.asarray(2.0 * both / np.maximum(said.sum(axis=0) + labels.sum(axis=0), 1))


def fit_concepts(
    x: FloatArray, labels: BoolArray, strength: float, start: ConceptProbes | None = None
) -> ConceptProbes:
    """Minimise ``½‖w‖² + strength · Σ log(1 + exp(−y (x̃·w + b)))`` for each concept, y = ±1; b is not penalised.

    ``x̃ = (x − mean) / s``, with one s for all entries, the root of their mean variance: scaling or turning the
    activations changes nothing, and entries of large variance keep it. (Dividing each entry by its own standard
    deviation costs .1 of F1 on first letters in SmolLM2.) Weights are returned for x. Solved with L-BFGS for all
    concepts together.

    Args:
        x: ``[rows, width]``
        labels: ``[rows, concepts]``
        strength: Weight of the data against the penalty.
        start: Where to start, such as the solution for another strength.
    """
    mean = x.mean(axis=0)
    deviation = float(np.sqrt(x.var(axis=0).mean()))
    scale = deviation if deviation > 0 else 1.0
    design = np.column_stack([(x - mean) / scale, np.ones(len(x))])
    theta = np.zeros((labels.shape[1], design.shape[1]))
    if start is not None:
        theta[:, :-1], theta[:, -1] = start.weights * scale, start.bias + start.weights @ mean
    signs = np.where(labels, 1.0, -1.0)

    def objective(flat: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, FloatArray]:
        weights = flat.reshape(theta.shape)
        margins = (design @ weights.T) * signs
        slopes = -strength * signs * 0.5 * (1.0 - np.tanh(0.5 * margins))
        penalised = np.column_stack([weights[:, :-1], np.zeros(len(weights))])
        loss = strength * np.logaddexp(0.0, -margins).sum() + 0.5 * (penalised**2).sum()
        return float(loss), (slopes.T @ design + penalised).ravel()

    found = minimize(
        objective,
        theta.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _STEPS, "maxfun": 2 * _STEPS, "ftol": _RELATIVE, "gtol": _SLOPE * strength},
    )
    solved = found.x.reshape(theta.shape)
    weights = solved[:, :-1] / scale
    return ConceptProbes(weights, solved[:, -1] - weights @ mean, strength)


@dataclass(frozen=True, eq=False)
class Told:
    """Rows with their labels.

    Attributes:
        x: ``[rows, width]``
        labels: ``[rows, concepts]``
    """

    x: FloatArray
    labels: BoolArray


def tuned_concepts(train: Told, validation: Told, strengths: Sequence[float]) -> ConceptProbes:
    """Fit on train for each C; keep the one with the largest mean F1 on validation, the smallest of equals."""
    best: tuple[float, ConceptProbes] | None = None
    probes: ConceptProbes | None = None
    for strength in sorted(strengths):
        probes = fit_concepts(train.x, train.labels, strength, probes)
        mean = float(f1(probes.scores(validation.x) > 0, validation.labels).mean())
        if best is None or mean > best[0]:
            best = mean, probes
    if best is None:
        raise ValueError("there is no C to fit with")
    return best[1]
