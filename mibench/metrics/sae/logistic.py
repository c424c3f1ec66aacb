"""L2-penalised logistic regression, solved to its optimum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mibench.metrics.faithfulness import BoolArray, FloatArray

_STEPS = 100
_HALVINGS = 40
_ENOUGH = 1e-9


@dataclass(frozen=True)
class Linear:
    """A linear classifier: positive where ``x @ weights + bias > 0``.

    Attributes:
        weights: `[width]`
        bias: Intercept.
    """

    weights: FloatArray
    bias: float

    def scores(self, x: FloatArray) -> FloatArray:
        """Log odds of the rows of ``x``. `[rows, width] -> [rows]`."""
        found: FloatArray = x @ self.weights + self.bias
        return found


def fit_logistic(x: FloatArray, labels: BoolArray, strength: float) -> Linear:
    """Minimise ``½‖w‖² + strength · Σ log(1 + exp(−y (x·w + b)))``, y = ±1; the intercept b is not penalised.

    The objective of scikit-learn's ``LogisticRegression(C=strength)``. Newton's method with step halving; the problem
    is strictly convex, so the result depends on neither a start nor an order.

    Args:
        x: `[rows, width]`
        labels: Which rows are positive, some and not all. `[rows]`
        strength: Weight of the data against the penalty.

    Raises:
        ValueError: All rows have one label: the intercept has no optimum.
    """
    if labels.all() or not labels.any():
        raise ValueError("a logistic regression needs rows of both labels")
    design = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    penalty = np.append(np.full(x.shape[1], 1.0), 0.0)
    theta = np.zeros(design.shape[1])
    loss = _loss(design, labels, strength, theta)
    for _ in range(_STEPS):
        step, decrease = _newton(design, labels, strength, penalty, theta)
        theta, loss = _shorter(design, labels, strength, (theta, loss), step)
        if decrease < _ENOUGH * (1.0 + loss):
            break
    return Linear(theta[:-1], float(theta[-1]))


def log_loss(scores: FloatArray, labels: BoolArray) -> float:
    """Mean of ``log(1 + exp(−y · score))``, y = ±1, in nats."""
    return float(np.mean(np.logaddexp(0.0, np.where(labels, -scores, scores))))


def _loss(design: FloatArray, labels: BoolArray, strength: float, theta: FloatArray) -> float:
    data = log_loss(design @ theta, labels) * len(design)
    return float(0.5 * theta[:-1] @ theta[:-1] + strength * data)


def _newton(
    design: FloatArray, labels: BoolArray, strength: float, penalty: FloatArray, theta: FloatArray
) -> tuple[FloatArray, float]:
    """Return Newton's step and half the squared Newton decrement, what it promises to gain."""
    share = 0.5 * (1.0 + np.tanh(0.5 * (design @ theta)))
    slope = penalty * theta + strength * design.T @ (share - labels)
    curvature = design.T @ (design * (strength * share * (1.0 - share))[:, None])
    # Far from the data the intercept's curvature underflows; the tiny ridge keeps the system solvable.
    curvature[np.diag_indices_from(curvature)] += penalty + 1e-10
    step: FloatArray = -np.linalg.solve(curvature, slope).astype(np.float64)
    return step, float(-0.5 * slope @ step)


def _shorter(
    design: FloatArray, labels: BoolArray, strength: float, start: tuple[FloatArray, float], step: FloatArray
) -> tuple[FloatArray, float]:
    """Go along the step, halved until the loss falls; nowhere where rounding hides any fall."""
    theta, loss = start
    for _ in range(_HALVINGS):
        tried = theta + step
        found = _loss(design, labels, strength, tried)
        if found < loss:
            return tried, found
        step = step / 2
    return theta, loss
