"""Entropic optimal transport between a few rows and many columns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from mibench.core.errors import MethodError

Array = NDArray[np.float64]
_STEPS, _CHANGE = 100_000, 1e-10


def sinkhorn(cost: Array, rows: Array, columns: Array, epsilon: float, balance: float = math.inf) -> Array:
    """The coupling P that minimises Σ P · cost + ε Σ P log P; rows have their mass, columns theirs or nearly.

    Sinkhorn's alternating updates of log potentials (Cuturi 2013, arXiv 1306.0895), from zero, until none changes by
    more than 1e-10. With finite balance, columns may have other masses at a price of balance · KL(masses of P,
    ``columns``), which damps their update (Chizat et al. 2016, arXiv 1607.05816).

    Args:
        cost: ``[rows, columns]``.
        rows: Mass of each row, ``[rows]``; all above 0.
        columns: Mass of each column, ``[columns]``, with the same sum; all above 0.
        epsilon: Strength of the entropy, above 0, in units of the cost.
        balance: Price of unequal columns, above 0; infinite: both marginals are kept.

    Raises:
        MethodError: It does not converge, or a cost is no number.
    """
    if not np.isfinite(cost).all():
        raise MethodError("Effects cannot be compared.", why="Some are no finite numbers.", do="Use rows with labels.")
    kernel, log_rows, log_columns = -cost / epsilon, np.log(rows), np.log(columns)
    damping = 1 / (1 + epsilon / balance)
    right = np.zeros(len(columns))
    for _ in range(_STEPS):
        left = log_rows - logsumexp(kernel + right, axis=1)
        before, right = right, damping * (log_columns - logsumexp(kernel + left[:, None], axis=0))
        if np.abs(right - before).max() <= _CHANGE:
            left = log_rows - logsumexp(kernel + right, axis=1)
            return np.asarray(np.exp(kernel + left[:, None] + right), dtype=np.float64)
    raise MethodError(
        "The transport plan does not converge.",
        why=f"Its potentials still change by {np.abs(right - before).max():.1e} after {_STEPS} rounds.",
        do="Raise epsilon.",
    )
