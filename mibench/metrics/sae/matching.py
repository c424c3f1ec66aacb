"""Which latent stands for which true feature: cosines, the best of each, and the best one-to-one matching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from mibench.metrics.faithfulness import FloatArray

Ints = NDArray[np.int64]

UNMATCHED = -1


@dataclass(frozen=True, eq=False)
class Matching:
    """Latents and true features in pairs, each in one pair at most.

    Attributes:
        latent: Of each true feature; `UNMATCHED` where there are fewer latents ``[features]``.
        similarity: Of each pair; 0 where there is none ``[features]``.
    """

    latent: Ints
    similarity: FloatArray

    @property
    def matched(self) -> Ints:
        """True features that have a latent, ascending."""
        return np.flatnonzero(self.latent != UNMATCHED)


def cosines(decoder: ArrayLike, directions: ArrayLike, *, either_sign: bool = False) -> FloatArray:
    """Return cosines ``[latents, features]`` of rows ``[latents, width]`` and ``[features, width]``; of a zero row, 0.

    Args:
        decoder: Rows of the decoder, of any length.
        directions: Directions of the true features.
        either_sign: Whether the sign of a row means nothing, since its code may be negative: then absolute cosines.
    """
    found = np.clip(_unit(decoder) @ _unit(directions).T, -1.0, 1.0)
    return np.abs(found) if either_sign else found


def match(similarity: ArrayLike) -> Matching:
    """Return the one-to-one matching of ``[latents, features]`` with the largest sum (Hungarian algorithm).

    Of equal matchings always the same one is taken.
    """
    values = np.asarray(similarity, dtype=np.float64)
    latents, features = linear_sum_assignment(values, maximize=True)
    latent = np.full(values.shape[1], UNMATCHED, dtype=np.int64)
    found = np.zeros(values.shape[1])
    latent[features], found[features] = latents, values[latents, features]
    return Matching(latent, found)


def closest(similarity: FloatArray) -> Ints:
    """Return the most similar true feature of each latent ``[latents]``, the first of equals."""
    return np.asarray(similarity.argmax(axis=1), dtype=np.int64)


def _unit(rows: ArrayLike) -> FloatArray:
    values = np.asarray(rows, dtype=np.float64)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(norms > 0, norms, 1.0))
