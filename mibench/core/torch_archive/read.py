"""Read a file of ``torch.save``: what its instructions make of plain data, tensors as arrays; torch is not needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mibench.core.torch_archive.instructions import Machine
from mibench.core.torch_archive.limits import PLAIN, Limits, refuse
from mibench.core.torch_archive.parts import Parts, open_parts
from mibench.core.torch_archive.tensors import Storage, Tensor

_INSTRUCTIONS = "data.pkl"
_BYTE_ORDERS = {b"little": False, b"big": True}
_PLAIN = (str, int, float, bool, type(None), Tensor)


def read_torch(path: Path, limits: Limits | None = None) -> Any:
    """Return what a file holds: dicts, lists, tuples, numbers, names, and tensors whose numbers can be asked for.

    What torch would return with ``weights_only=True``, but a parameter is a tensor like any other, and attributes of a
    state dict (its ``_metadata``) are left out. Nothing is imported or called, and no part of the file is read before
    its size is checked.

    Args:
        path: A file in torch's zip format, the one of torch 1.6 and later.
        limits: Limits; None: the usual ones.

    Raises:
        ArtifactError: It is of another format, damaged, beyond the limits, or holds anything but plain data; the error
            names the instruction, class or function.
    """
    limits = limits or Limits()
    try:
        parts = open_parts(path, limits)
        found = Machine(_instructions(parts, limits), _Storages(parts), limits).run()
    except OSError as error:
        raise refuse(f"{error.strerror or error}.", "Check the file.") from error
    _check(found, limits.depth)
    return found


def load_arrays(path: Path, limits: Limits | None = None) -> Any:
    """Return what ``read_torch`` does with numpy arrays for tensors, read-only; bfloat16 as float32.

    Tensors that share numbers in the file share them here.

    Raises:
        ArtifactError: As ``read_torch``; or all arrays together are beyond the limit.
    """
    limits = limits or Limits()
    found = read_torch(path, limits)
    try:
        return _Arrays(limits.array_bytes).of(found)
    except OSError as error:
        raise refuse(f"{error.strerror or error}.", "Check the file.") from error


def _instructions(parts: Parts, limits: Limits) -> bytes:
    if _INSTRUCTIONS not in parts.by_name:
        raise refuse(f"It is no torch file: it has no {_INSTRUCTIONS}.")
    size = parts.by_name[_INSTRUCTIONS].size
    if size > limits.instruction_bytes:
        raise refuse(f"Its instructions take {size} bytes; the limit is {limits.instruction_bytes}.")
    return parts.read(_INSTRUCTIONS).tobytes()


class _Storages:
    """Finds storages in the parts of a file."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._found: dict[str, Storage] = {}
        order = parts.by_name.get("byteorder")
        said = parts.read("byteorder").tobytes() if order is not None and order.size < 10 else b"little"
        if said not in _BYTE_ORDERS or (order is not None and order.size >= 10):
            raise refuse(f"Its byte order is {said!r:.20}.")
        self._big_endian = _BYTE_ORDERS[said]

    def __call__(self, key: str, dtype: str, count: int) -> Storage:
        part = f"data/{key}"
        if part not in self._parts.by_name:
            raise refuse(f"It has no part '{part:.40}', which a tensor needs.")
        found = self._found.setdefault(key, Storage(self._parts, part, dtype, self._big_endian))
        size = self._parts.by_name[part].size
        if found.dtype != dtype:
            raise refuse(f"'{part}' is of {found.dtype} and of {dtype}.")
        if size != count * found.item_bytes:
            raise refuse(f"'{part}' has {size} bytes; {count} numbers of {dtype} are to be in it.")
        return found


class _Arrays:
    """Puts arrays in the place of tensors; what comes twice is made once."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._made: dict[int, Any] = {}

    def of(self, value: Any) -> Any:
        """The same with arrays; ``_check`` has seen that this ends."""
        if not isinstance(value, dict | list | tuple | Tensor):
            return value
        if id(value) not in self._made:
            self._made[id(value)] = self._new(value)
        return self._made[id(value)]

    def _new(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            self._left -= value.n_bytes
            if self._left < 0:
                raise refuse(f"With a tensor of shape {list(value.shape)[:4]} its arrays are beyond the limit.")
            return value.array()
        if isinstance(value, dict):
            return type(value)((key, self.of(one)) for key, one in value.items())
        return type(value)(self.of(one) for one in value)


def _check(root: Any, depth: int) -> None:
    """Check that there is only plain data, in no circle and not too deep; each thing is looked at once."""
    heights: dict[int, int] = {}
    open_: list[tuple[Any, list[Any]]] = []

    def enter(value: Any) -> None:
        if type(value) in _PLAIN:
            return
        if not isinstance(value, dict | list | tuple):
            raise refuse(f"It holds a {type(value).__name__} by itself, which is not {PLAIN}.")
        height = heights.setdefault(id(value), 0)
        if height < 0:
            raise refuse("It holds a list or dict inside itself.")
        if not height:
            if len(open_) >= depth:
                raise _too_deep(depth)
            heights[id(value)] = -1
            open_.append((value, list(value.values() if isinstance(value, dict) else value)))

    enter(root)
    while open_:
        value, left = open_[-1]
        if left:
            enter(left.pop())
            continue
        open_.pop()
        inside = value.values() if isinstance(value, dict) else value
        heights[id(value)] = 1 + max((heights.get(id(one), 0) for one in inside), default=0)
        if heights[id(value)] > depth:
            raise _too_deep(depth)


def _too_deep(depth: int) -> Exception:
    return refuse(f"It has lists, dicts or tuples more than {depth} deep inside each other.")
