"""Tensors of a torch file: a type, a shape and strides over a storage, whose numbers are read when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.core.torch_archive.limits import refuse
from mibench.core.torch_archive.parts import Parts

Array = NDArray[Any]

_STORED = {
    "float64": "f8",
    "float32": "f4",
    "float16": "f2",
    "bfloat16": "u2",
    "complex128": "c16",
    "complex64": "c8",
    "int64": "i8",
    "int32": "i4",
    "int16": "i2",
    "int8": "i1",
    "uint8": "u1",
    "bool": "u1",
}
"""How numpy reads the numbers of each type of torch."""
_MAX_DIMS = 32
_MAX_SIZE = 2**62


@dataclass(frozen=True, eq=False)
class Storage:
    """Numbers that tensors share.

    Attributes:
        parts: The file.
        part: Name of the part that holds them.
        dtype: Their type, as torch calls it.
        big_endian: Whether their most significant byte is first.
    """

    parts: Parts
    part: str
    dtype: str
    big_endian: bool

    @property
    def item_bytes(self) -> int:
        """Bytes of one of them."""
        return np.dtype(_STORED[self.dtype]).itemsize

    @property
    def n_items(self) -> int:
        """How many there are."""
        return self.parts.by_name[self.part].size // self.item_bytes

    @cached_property
    def values(self) -> Array:
        """All of them, read-only, ``[n_items]``; bfloat16 as float32, which has every one of them.

        Raises:
            ArtifactError: They are damaged.
        """
        stored = np.dtype(_STORED[self.dtype])
        found = self.parts.read(self.part).view(stored.newbyteorder(">" if self.big_endian else "<"))
        found = found.astype(stored, copy=False).view(stored)
        if self.dtype == "bfloat16":
            found = found.astype(np.uint32)
            found <<= 16
            found = found.view(np.float32)
        elif self.dtype == "bool":
            # Any byte but 0 means true; in numpy only 1 may.
            found = found != 0
        found.setflags(write=False)
        return found


@dataclass(frozen=True, eq=False)
class Tensor:
    """A dense tensor.

    Attributes:
        storage: Its numbers.
        offset: Place of the first one in the storage.
        shape: Its shape.
        strides: How many places of the storage each dimension goes on by.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        counts = (self.offset, *self.shape, *self.strides)
        plain = all(type(one) is int and 0 <= one < _MAX_SIZE for one in counts)
        if not plain or len(self.shape) != len(self.strides) or len(self.shape) > _MAX_DIMS:
            raise refuse("A tensor has an offset, a shape or strides that none can have.")
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((size - 1) * stride for size, stride in steps) if self.size else self.offset - 1
        if last >= self.storage.n_items or self.offset > self.storage.n_items:
            why = f"A tensor of shape {list(self.shape)[:4]} goes beyond its storage of {self.storage.n_items} numbers."
            raise refuse(why)
        if self.n_bytes >= _MAX_SIZE:
            raise refuse(f"A tensor claims the shape {list(self.shape)[:4]}.")

    @property
    def dtype(self) -> str:
        """Type of the numbers, as torch calls it."""
        return self.storage.dtype

    @property
    def size(self) -> int:
        """How many numbers it has, by its shape."""
        return prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Bytes that they would take side by side, as float32 where they are bfloat16."""
        return self.size * (4 if self.dtype == "bfloat16" else self.storage.item_bytes)

    @property
    def repeats(self) -> bool:
        """Whether it has more numbers than its storage."""
        return self.size > self.storage.n_items

    @property
    def is_contiguous(self) -> bool:
        """Whether its numbers lie side by side, row by row."""
        step = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != step:
                return not self.size
            step *= size
        return True

    def array(self) -> Array:
        """Its numbers, a read-only view of the storage's; bfloat16 as float32.

        Raises:
            ArtifactError: They are damaged.
        """
        values = self.storage.values
        if not self.size:
            found: Array = np.empty(self.shape, dtype=values.dtype)
            found.setflags(write=False)
            return found
        width = values.itemsize
        # The stride of a dimension of one says nothing, and may be anything.
        steps = [stride * width if size > 1 else 0 for size, stride in zip(self.shape, self.strides, strict=True)]
        return np.ndarray(self.shape, values.dtype, values.data, self.offset * width, steps)
