"""Follow the instructions of a torch file: those that plain data needs, and none that can name or call anything else.

The format is a pickle of protocol 2. Every instruction that is not in the table here is refused by name, and so is
every class or function but those of which torch makes a dense tensor; none is ever looked up, imported or called.
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mibench.core.torch_archive.cursor import Cursor
from mibench.core.torch_archive.limits import PLAIN, Limits, refuse
from mibench.core.torch_archive.tensors import Storage, Tensor

_PROTOCOL = 2
_NAMES = {ord(one.code): one.name for one in pickletools.opcodes}
_SCALARS = (str, int, float, bool, type(None))
_SHOWN = 80


class Maker(Enum):
    """What an instruction may call."""

    ORDERED_DICT = "collections OrderedDict"
    TENSOR = "torch._utils _rebuild_tensor_v2"
    PARAMETER = "torch._utils _rebuild_parameter"


@dataclass(frozen=True)
class StorageType:
    """The type of a storage's numbers, as torch calls it."""

    dtype: str


_TYPES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "ComplexDouble": "complex128",
    "ComplexFloat": "complex64",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
}
_GLOBALS: Mapping[str, Maker | StorageType] = {
    **{one.value: one for one in Maker},
    **{f"torch {name}Storage": StorageType(dtype) for name, dtype in _TYPES.items()},
}

StorageOf = Callable[[str, str, int], Storage]
"""Returns the storage of a key, a type and a number of items, checked."""


class Machine:
    """Follows instructions.

    Args:
        content: The instructions.
        storage_of: Finds storages.
        limits: Limits.
    """

    def __init__(self, content: bytes, storage_of: StorageOf, limits: Limits) -> None:
        self._cursor = Cursor(content)
        self._storage_of = storage_of
        self._limits = limits
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._n_tuples = 0

    def run(self) -> Any:
        """Return what the instructions make.

        Raises:
            ArtifactError: There is one that plain data does not need, or they are damaged.
        """
        for _ in range(self._limits.instructions):
            code = self._cursor.take(1)[0]
            if code == _STOP:
                found = self._pop()
                if self._stack or self._outer:
                    raise self._damaged("something is left over")
                return found
            step = _STEPS.get(code)
            if step is None:
                name = _NAMES.get(code, f"0x{code:02x}")
                raise refuse(f"It uses the instruction {name}, which plain data does not need.")
            step(self)
        raise refuse(f"It has more than {self._limits.instructions} instructions.")

    def _damaged(self, why: str) -> Exception:
        return refuse(f"Its instructions are damaged at byte {self._cursor.place}: {why}.")

    def _pop(self) -> Any:
        if not self._stack:
            raise self._damaged("nothing is there to take")
        return self._stack.pop()

    def _top(self, kind: type) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            raise self._damaged(f"no {kind.__name__} is there")
        return self._stack[-1]

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _since_mark(self) -> list[Any]:
        if not self._outer:
            raise self._damaged("a mark is missing")
        items, self._stack = self._stack, self._outer.pop()
        return items

    def _protocol(self) -> None:
        version = self._cursor.take(1)[0]
        if version != _PROTOCOL:
            raise refuse(f"Its instructions are of pickle's protocol {version}; torch.save writes {_PROTOCOL}.")

    def _mark(self) -> None:
        self._outer.append(self._stack)
        self._stack = []

    def _put(self, place: int) -> None:
        if not self._stack:
            raise self._damaged("nothing is there to note")
        self._memo[place] = self._stack[-1]

    def _get(self, place: int) -> None:
        if place not in self._memo:
            raise self._damaged(f"nothing was noted as {place}")
        self._push(self._memo[place])

    def _tuple(self, items: list[Any]) -> None:
        self._n_tuples += 1
        if self._n_tuples > self._limits.tuples:
            raise refuse(f"It makes more than {self._limits.tuples} tuples.")
        self._push(tuple(items))

    def _last(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _append(self, items: list[Any]) -> None:
        self._top(list).extend(items)

    def _set(self, items: list[Any]) -> None:
        target = self._top(dict)
        if len(items) % 2:
            raise self._damaged("a key has no value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in _SCALARS:
                raise refuse(f"A dict has a {type(key).__name__} for a key; names and numbers are read.")
            target[key] = value

    def _global(self) -> None:
        name = f"{self._cursor.line()} {self._cursor.line()}"
        if name not in _GLOBALS:
            raise refuse(f"It asks to load '{name:.{_SHOWN}}', which is not {PLAIN}.")
        self._push(_GLOBALS[name])

    def _reduce(self) -> None:
        arguments, maker = self._pop(), self._pop()
        if not isinstance(maker, Maker) or type(arguments) is not tuple:
            raise self._damaged("it calls what cannot be called")
        made = {
            Maker.ORDERED_DICT: _ordered_dict,
            Maker.TENSOR: _tensor,
            Maker.PARAMETER: _parameter,
        }[maker](arguments)
        if made is None:
            raise refuse(f"It calls {maker.value} with something else than a dense tensor needs.")
        self._push(made)

    def _build(self) -> None:
        """The attributes of a state dict, which torch notes versions in; they are not kept."""
        state = self._pop()
        if type(self._top(object)) is not OrderedDict or type(state) is not dict:
            raise refuse(f"It sets attributes of something (BUILD), which only a state dict has in {PLAIN}.")

    def _storage(self) -> None:
        said = self._pop()
        forms = (str, StorageType, str, str, int)
        fits = type(said) is tuple and len(said) == len(forms)
        if not fits or any(type(one) is not form for one, form in zip(said, forms, strict=True)):
            raise refuse("It names a storage in a way that torch.save does not (BINPERSID).")
        word, kind, key, device, count = said
        if word != "storage" or device == "meta" or count < 0:
            raise refuse(f"It names a {word:.20} on the device {device:.20}, which is not {PLAIN}.")
        self._push(self._storage_of(key, kind.dtype, count))


def _ordered_dict(arguments: tuple[Any, ...]) -> OrderedDict[Any, Any] | None:
    return None if arguments else OrderedDict()


def _tensor(arguments: tuple[Any, ...]) -> Tensor | None:
    """From storage, offset, shape, strides, requires_grad, hooks, and perhaps metadata, which must be none."""
    if len(arguments) not in {6, 7} or any(arguments[6:]) or not _no_hooks(arguments[5]):
        return None
    storage, offset, shape, strides, gradient = arguments[:5]
    if not isinstance(storage, Storage) or type(gradient) is not bool:
        return None
    return Tensor(storage, offset, shape, strides) if type(shape) is type(strides) is tuple else None


def _parameter(arguments: tuple[Any, ...]) -> Tensor | None:
    """From tensor, requires_grad and hooks."""
    if len(arguments) != 3 or type(arguments[1]) is not bool or not _no_hooks(arguments[2]):
        return None
    return arguments[0] if isinstance(arguments[0], Tensor) else None


def _no_hooks(value: object) -> bool:
    return value is None or (isinstance(value, dict) and not value)


def _constant(*, value: bool | None) -> Callable[[Machine], None]:
    return lambda machine: machine._push(value)


# Private methods belong to the class above; the table is what it looks its steps up in.
# ruff: noqa: SLF001
_STOP = ord(".")
_STEPS: Mapping[int, Callable[[Machine], None]] = {
    ord(code): step
    for code, step in {
        "\x80": Machine._protocol,
        "(": Machine._mark,
        "N": _constant(value=None),
        "\x88": _constant(value=True),
        "\x89": _constant(value=False),
        "J": lambda one: one._push(one._cursor.number("<i")),
        "K": lambda one: one._push(one._cursor.number("<B")),
        "M": lambda one: one._push(one._cursor.number("<H")),
        "\x8a": lambda one: one._push(one._cursor.integer()),
        "G": lambda one: one._push(one._cursor.number(">d")),
        "X": lambda one: one._push(one._cursor.text()),
        "q": lambda one: one._put(one._cursor.number("<B")),
        "r": lambda one: one._put(one._cursor.number("<I")),
        "h": lambda one: one._get(one._cursor.number("<B")),
        "j": lambda one: one._get(one._cursor.number("<I")),
        "]": lambda one: one._push([]),
        "a": lambda one: one._append(one._last(1)),
        "e": lambda one: one._append(one._since_mark()),
        "}": lambda one: one._push({}),
        "s": lambda one: one._set(one._last(2)),
        "u": lambda one: one._set(one._since_mark()),
        ")": lambda one: one._tuple([]),
        "\x85": lambda one: one._tuple(one._last(1)),
        "\x86": lambda one: one._tuple(one._last(2)),
        "\x87": lambda one: one._tuple(one._last(3)),
        "t": lambda one: one._tuple(one._since_mark()),
        "c": Machine._global,
        "R": Machine._reduce,
        "b": Machine._build,
        "Q": Machine._storage,
    }.items()
}
