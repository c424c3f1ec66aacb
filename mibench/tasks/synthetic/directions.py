"""Directions of true features: unit vectors, more than there are entries, pushed apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mibench.tasks.synthetic.recipe import Spreading

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_FIRST_DECAY, _SECOND_DECAY, _EPSILON = 0.9, 0.999, 1e-8
"""Adam's usual constants."""


def directions(count: int, width: int, spreading: Spreading, generator: np.random.Generator) -> Float64:
    """Return unit rows ``[count, width]``: random, then pushed apart.

    The steps lower ``Σ_{i≠j} (d_i·d_j)² + count · Σ_i (‖d_i‖² − 1)²``.
    """
    rows = unit_rows(generator.standard_normal((count, width)))
    return unit_rows(_spread(rows.astype(np.float32), spreading).astype(np.float64)) if spreading.steps else rows


def unit_rows(rows: Float64) -> Float64:
    """Return the rows over their norms; a row of zeros stays one."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1.0))


def _spread(rows: Float32, spreading: Spreading) -> Float32:
    first, second = np.zeros_like(rows), np.zeros_like(rows)
    for step in range(1, spreading.steps + 1):
        slope = _slope(rows)
        first = _FIRST_DECAY * first + (1 - _FIRST_DECAY) * slope
        second = _SECOND_DECAY * second + (1 - _SECOND_DECAY) * slope**2
        mean, square = first / (1 - _FIRST_DECAY**step), second / (1 - _SECOND_DECAY**step)
        rows = rows - spreading.lr * mean / (np.sqrt(square) + _EPSILON)
    return rows


def _slope(rows: Float32) -> Float32:
    """Gradient of what is lowered; ``rowsᵀ rows`` is small where there are many more rows than entries."""
    squares = np.einsum("nd,nd->n", rows, rows)[:, None]
    overlap = rows @ (rows.T @ rows) - squares * rows
    return np.asarray(4 * overlap + 4 * len(rows) * (squares - 1) * rows, dtype=np.float32)
