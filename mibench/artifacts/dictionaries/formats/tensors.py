"""Tensors of an untrusted file, taken by name with their shapes checked; what nobody takes is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.dictionaries.checks import refuse
from mibench.artifacts.dictionaries.dictionary import Array

Numbers = NDArray[Any]


class Tensors:
    """Arrays by name. Where several names are given, they are variants of which the first that is there counts.

    Args:
        arrays: float32 or int64.
    """

    def __init__(self, arrays: Mapping[str, Numbers]) -> None:
        self._arrays = dict(arrays)

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def _take(self, names: tuple[str, ...]) -> tuple[str, Numbers]:
        found = next((name for name in names if name in self._arrays), None)
        if found is None:
            raise refuse(f"It has no tensor {' or '.join(names)}.", "Give all tensors of its architecture.")
        return found, self._arrays.pop(found)

    def vector(self, *names: str, size: int | None = None) -> Array:
        """A vector, of ``size`` entries if that is known."""
        name, array = self._take(names)
        if array.ndim != 1 or (size is not None and array.shape != (size,)):
            raise _wrong(name, array, [size])
        return _float32(array)

    def matrix(
        self, *names: str, rows: int | None, columns: int | None, flipped: bool = False, infer: bool = False
    ) -> Array:
        """A matrix ``[rows, columns]``.

        Args:
            *names: Its name, in variants.
            rows: Rows of the result, if they are known.
            columns: Columns, likewise.
            flipped: The format keeps it transposed.
            infer: The format does not say how: whichever way round fits; ``flipped`` where both do.
        """
        name, array = self._take(names)
        if array.ndim != 2:
            raise _wrong(name, array, [rows, columns])
        ways = [array.T, array] if flipped else [array, array.T]
        for way in ways if infer else ways[:1]:
            if rows in (None, way.shape[0]) and columns in (None, way.shape[1]):
                return _float32(way)
        raise _wrong(name, array, [columns, rows] if flipped else [rows, columns])

    def number(self, name: str) -> float | None:
        """A single number, if it is there."""
        if name not in self._arrays:
            return None
        array = self._arrays.pop(name)
        if array.size != 1:
            raise _wrong(name, array, [])
        return float(array.reshape(-1)[0])

    def whole(self, name: str) -> int | None:
        """A single whole number, if it is there."""
        value = self.number(name)
        if value is None:
            return None
        if not 0 <= value <= 2**62 or value != int(value):
            raise refuse(f"'{name}' is {value:g}.", "Make it a whole number.")
        return int(value)

    def drop(self, *names: str) -> None:
        """Leave out tensors that the dictionary does not compute with."""
        for name in names:
            self._arrays.pop(name, None)

    def finish(self) -> None:
        """Check that nothing is left over: it might change what the dictionary computes.

        Raises:
            ArtifactError: There are other tensors.
        """
        if self._arrays:
            names = ", ".join(f"{name:.40}" for name in sorted(self._arrays)[:5])
            raise refuse(f"It has tensors that its architecture does not have: {names}.", "Leave them out.")


def _float32(array: Numbers) -> Array:
    if array.dtype.kind != "f":
        raise refuse(f"A tensor holds {array.dtype}, not floating-point numbers.", "Save it as float32.")
    return np.ascontiguousarray(array, dtype=np.float32)


def _wrong(name: str, array: Numbers, wanted: list[int | None]) -> Exception:
    sizes = ", ".join("any" if size is None else str(size) for size in wanted)
    return refuse(f"'{name:.40}' has shape {list(array.shape)[:4]}, not [{sizes}].", "Transpose it, or fix its shape.")


def threshold_of(values: Array, size: int) -> Array:
    """Thresholds ``[size]`` of a vector or one number. One below 0 says the same as 0, since latents are positive."""
    if values.size not in (1, size) or values.ndim > 1:
        raise _wrong("threshold", values, [size])
    wide = np.broadcast_to(values.reshape(-1), (size,))
    # NaN stays NaN, to be refused with the others.
    return np.ascontiguousarray(np.maximum(wide, np.float32(0)), dtype=np.float32)
