"""A linear probe trained as SAEBench trains those of SCR and TPP: AdamW with an L1 penalty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.sae.logistic import Linear

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8
_DECAY = 0.01


@dataclass(frozen=True)
class AdamWRecipe:
    """How the probe is trained.

    Attributes:
        steps: Updates; 5,000 are SAEBench's 20 epochs of 4,000 rows.
        batch: Rows an update.
        rate: Learning rate.
        l1: Weight of the sum of absolute weights in the loss.
        seed: Of the order of rows.
    """

    steps: int = 5000
    batch: int = 16
    rate: float = 1e-3
    l1: float = 1e-3
    seed: int = 42


def train_probe(x: NDArray[np.floating], labels: BoolArray, recipe: AdamWRecipe) -> Linear:
    """Minimise mean log loss + l1 · Σ|w| by AdamW (betas .9 and .999, decay .01), rows shuffled anew each epoch.

    Args:
        x: `[rows, width]`
        labels: `[rows]`
        recipe: How.
    """
    design = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
    penalised = np.append(np.full(x.shape[1], recipe.l1), 0.0)
    state = _Adam(np.zeros(design.shape[1]), recipe.rate)
    generator = np.random.Generator(np.random.PCG64(recipe.seed))
    order = generator.permutation(len(x))
    start = 0
    for _ in range(recipe.steps):
        if start >= len(order):
            order, start = generator.permutation(len(x)), 0
        rows = order[start : start + recipe.batch]
        start += recipe.batch
        error = 0.5 * (1.0 + np.tanh(0.5 * (design[rows] @ state.theta))) - labels[rows]
        state.update(design[rows].T @ error / len(rows) + penalised * np.sign(state.theta))
    return Linear(state.theta[:-1], float(state.theta[-1]))


class _Adam:
    """AdamW's moments.

    Attributes:
        theta: Weights, then bias.
    """

    def __init__(self, theta: FloatArray, rate: float) -> None:
        self.theta = theta
        self.rate = rate
        self.mean = np.zeros_like(theta)
        self.square = np.zeros_like(theta)
        self.step = 0

    def update(self, slope: FloatArray) -> None:
        """Go one step."""
        self.step += 1
        self.theta = self.theta * (1.0 - self.rate * _DECAY)
        self.mean = _BETAS[0] * self.mean + (1.0 - _BETAS[0]) * slope
        self.square = _BETAS[1] * self.square + (1.0 - _BETAS[1]) * slope**2
        mean = self.mean / (1.0 - _BETAS[0] ** self.step)
        square = self.square / (1.0 - _BETAS[1] ** self.step)
        self.theta = self.theta - self.rate * mean / (np.sqrt(square) + _EPSILON)
