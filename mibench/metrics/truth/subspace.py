"""How far two subspaces agree: principal angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import FloatArray

_RELATIVE = 1e-6
"""Rows whose part outside the others is smaller than this, next to the largest, add no direction (float32 data)."""


@dataclass(frozen=True)
class Overlap:
    """How far a subspace agrees with the true one, or why that is not known.

    Attributes:
        value: Mean cos² of the principal angles, in [0, 1].
        floor: Its mean over random subspaces of the same size.
        reason: Why there is none.
    """

    value: float | None
    floor: float | None = None
    reason: str | None = None


def subspace_overlap(found: ArrayLike, true: ArrayLike) -> Overlap:
    """Return the mean cos² of the min(k, k') principal angles between two row spaces.

    1: one holds the other; 0: orthogonal. A random subspace of k directions reaches max(k, k')/d on average: k/d where
    it is not the smaller one, and 1 where it is the whole space, so read the number above its floor.

    Args:
        found: Any basis, of rows. ``[k, d]``
        true: Likewise. ``[k', d]``

    Raises:
        DataError: The widths differ, or a number is not finite.
    """
    bases = [_orthonormal(found), _orthonormal(true)]
    if bases[0].shape[1] != bases[1].shape[1]:
        raise _refused(f"They have {bases[0].shape[1]} and {bases[1].shape[1]} entries a row.")
    sizes = [len(basis) for basis in bases]
    if not min(sizes):
        return Overlap(None, reason="a subspace has no direction")
    # The squared cosines are the squared singular values, which sum to the squared norm.
    total = float(((bases[0] @ bases[1].T) ** 2).sum())
    return Overlap(min(total / min(sizes), 1.0), max(sizes) / bases[0].shape[1])


def _orthonormal(rows: ArrayLike) -> FloatArray:
    """An orthonormal basis of a row space ``[rank, d]``."""
    values = np.asarray(rows, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1] or not np.isfinite(values).all():
        raise _refused(f"A basis of shape {list(values.shape)} is not finite rows.")
    if not len(values):
        return values
    _, sizes, directions = np.linalg.svd(values, full_matrices=False)
    return np.asarray(directions[sizes > _RELATIVE * max(float(sizes[0]), np.finfo(np.float64).tiny)])


def _refused(why: str) -> DataError:
    return DataError("These subspaces cannot be compared.", why=why, do="Give two bases of rows of the same width.")
