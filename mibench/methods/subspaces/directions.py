"""Directions of largest extent, and operations made of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.featurizers.operation import Operation

Array = NDArray[np.float64]


def principal(rows: Array, floor: float = 0.0) -> tuple[Array, Array]:
    """Right singular vectors of ``rows`` ``[n, width]``, longest extent first.

    Args:
        rows: What the directions are to span.
        floor: Directions whose singular value is not above it are left out.

    Returns:
        Orthonormal columns ``[width, rank]``, the largest entry of each positive, and singular values ``[rank]``.
    """
    _, extents, vectors = np.linalg.svd(rows, full_matrices=False)
    kept = extents > floor
    return with_signs(vectors[kept].T), extents[kept]


def with_signs(columns: Array) -> Array:
    """Columns turned so that the largest entry of each is positive: a decomposition leaves its signs open."""
    if not columns.size:
        return columns
    largest = np.take_along_axis(columns, np.abs(columns).argmax(0)[None], axis=0)
    return np.asarray(columns * np.where(largest < 0, -1.0, 1.0), dtype=np.float64)


def rotation(columns: Array) -> Operation:
    """The operation that reads and writes along orthonormal columns ``[width, k]``."""
    return Operation("orthogonal", {"rotation": stored(columns)})


def stored(array: Any) -> NDArray[np.float32]:
    """As it goes into an artifact."""
    return np.ascontiguousarray(array, dtype=np.float32)
