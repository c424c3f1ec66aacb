"""Seeded draws that are the same on every machine and with every version of numpy: only the raw stream is used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Draws:
    """Draws from the raw stream of PCG64, seeded with words."""

    def __init__(self, *seed: str) -> None:
        words = hashlib.sha256(" ".join(seed).encode()).digest()
        self._bits = np.random.PCG64(int.from_bytes(words[:16], "big"))

    def below(self, end: int) -> int:
        """Return a number from 0 to ``end`` − 1."""
        return int(self._bits.random_raw()) % end

    def order(self, n: int) -> NDArray[np.intp]:
        """Return the numbers below ``n`` in any order."""
        return np.argsort(self._bits.random_raw(n), kind="stable")

    def some(self, items: Sequence[T], n: int) -> tuple[T, ...]:
        """Return ``n`` of some items, or all where they are fewer."""
        return tuple(items[int(place)] for place in self.order(len(items))[:n])

    def signs(self, n: int) -> NDArray[np.float64]:
        """Return ``n`` signs, +1 and -1 equally often, ``n`` even."""
        return np.where(self.order(n) % 2 == 0, 1.0, -1.0)
