"""Directions of the residual stream for features, exact in floating point.

A direction is a row of a Hadamard matrix, divided by √d_model: its entries are ±1/16, it is orthogonal to the others
and, but for the first row, which is left out, its mean is 0, so that LayerNorm leaves it alone. ``one`` is large
(the ballast): norm layers then divide by nearly the same number everywhere. Every number is a small multiple of a
power of two, so that sums are exact and no order of summation matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.planted.draws import Draws
from mibench.planted.logic import ONE, Form

FloatArray = NDArray[np.float64]
D_MODEL = 256
ROOT = 16
"""Square root of the width."""
BALLAST = 64.0
"""Size of ``one``."""
_SHARED, _SHARE = 16, 0.25
"""In superposition, features share so many directions more, and each has so much of one: overlaps of 1/16."""


@dataclass(frozen=True, eq=False)
class Features:
    """Directions by name.

    Attributes:
        directions: What is added to the stream for a feature, ``[d_model]`` each.
        probes: What reads it: the dot product with its direction is 1.
    """

    directions: dict[str, FloatArray]
    probes: dict[str, FloatArray]

    def read(self, form: Form) -> FloatArray:
        """Return the vector whose dot product with the stream is ``form``; ``one`` counts as 1."""
        weights = {name: weight / BALLAST if name == ONE else weight for name, weight in form.items()}
        return _sum(self.probes, weights)

    def write(self, form: Form) -> FloatArray:
        """Return what is added to the stream for ``form``."""
        weights = {name: weight * BALLAST if name == ONE else weight for name, weight in form.items()}
        return _sum(self.directions, weights)


def place_features(names: Sequence[str], noise: Sequence[str], draws: Draws, *, overlap: bool) -> Features:
    """Give every feature its direction.

    Args:
        names: Features of the program, ``one`` and positions among them.
        noise: Features that only distractors write.
        draws: Where the directions of noise come from.
        overlap: Features of the program share directions, and those of noise have random signs: two of them, or one
            and a feature of the program, overlap by about 1/16.
    """
    rows = hadamard()[1:]
    free, shared = rows[: len(rows) - _SHARED], rows[-_SHARED:]
    directions = dict(zip([*names, *noise], free, strict=False))
    probes = dict(directions)
    if overlap:
        for number, name in enumerate(name for name in names if name != ONE and not name.startswith("pos:")):
            extra = _SHARE * shared[number % _SHARED]
            # Both parts count in the dot product, which is to be 1.
            probes[name] = (1 - _SHARE**2) * directions[name] + extra
            directions[name] = directions[name] + extra
        directions |= {name: draws.signs(D_MODEL) / ROOT for name in noise}
    return Features(directions, probes)


def _sum(vectors: Mapping[str, FloatArray], weights: Form) -> FloatArray:
    found = np.zeros(D_MODEL)
    for name, weight in weights.items():
        found += weight * vectors[name]
    return found


def hadamard() -> FloatArray:
    """Return Sylvester's Hadamard matrix with rows of length 1, ``[d_model, d_model]``."""
    rows = np.ones((1, 1))
    while len(rows) < D_MODEL:
        rows = np.block([[rows, rows], [rows, -rows]])
    return rows / ROOT
