"""The fields of a pickled configuration, read opcode by opcode; nothing is imported, made or called.

A pickle is a program. Here it is walked with :func:`pickletools.genops`, which only decodes it, and a stack of plain
values is kept. Opcodes that a configuration does not need, and names that it does not hold, end the reading.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mibench.core.files import existing_file
from mibench.models.interpbench.inert import CONFIG_CLASS, Inert, build, made, named, refused

MAX_BYTES = 1024 * 1024
MAX_OPCODES = 50_000
MAX_DEPTH = 6
MAX_VALUES = 10_000
_MAX_TEXT = 4096
_MAX_INT = 2**63
_SIZED = (str, bytes)


def pickled_fields(path: Path | str) -> dict[str, Any]:
    """Return the fields of a pickled configuration of TransformerLens, or of a pickled dict.

    Args:
        path: The pickle.

    Returns:
        By field: None, bool, int, float, str, lists, tuples and dicts of them, and :class:`Inert` records for
        the dtype and the device.

    Raises:
        UsageError: There is no such file.
        ModelError: It is too large, damaged, or holds anything else than such fields.
    """
    found = existing_file(path)
    if found.stat().st_size > MAX_BYTES:
        raise refused(f"It has {found.stat().st_size} bytes; a configuration has less than {MAX_BYTES}.")
    return fields_of(found.read_bytes())


def fields_of(content: bytes) -> dict[str, Any]:
    """Return the fields of the pickle ``content``, as :func:`pickled_fields` does for a file.

    Raises:
        ModelError: It holds anything else than the fields of a configuration.
    """
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count >= MAX_OPCODES:
                raise refused(f"It has more than {MAX_OPCODES} opcodes.")
            if opcode.name not in _STEPS:
                raise refused(f"The opcode {opcode.name} is not one that a configuration needs.")
            _STEPS[opcode.name](machine, argument)
    except (ValueError, OverflowError) as error:
        raise refused(f"It is damaged: {str(error)[:120]}") from error
    top = machine.result()
    fields = top.state if isinstance(top, Inert) and top.name == CONFIG_CLASS else top
    if not isinstance(fields, dict):
        raise refused("It holds neither a configuration nor a dict.")
    _check(fields, depth=0, count=[0])
    return fields


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def result(self) -> Any:
        if len(self.stack) != 1 or self.marks:
            raise refused("It is damaged: it ends with more or less than one value.")
        return self.stack[0]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self, count: int = 1) -> list[Any]:
        self._check_above_mark(count)
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def top(self) -> Any:
        self._check_above_mark(1)
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        if not self.marks:
            raise refused("It is damaged: a mark is missing.")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def _check_above_mark(self, count: int) -> None:
        if len(self.stack) - (self.marks[-1] if self.marks else 0) < count:
            raise refused("It is damaged: a value is missing.")


def _literal(machine: _Machine, value: Any) -> None:
    if isinstance(value, _SIZED) and len(value) > _MAX_TEXT:
        raise refused(f"It holds a text of {len(value)} characters.")
    if isinstance(value, int) and not -_MAX_INT <= value < _MAX_INT:
        raise refused("It holds an integer of more than 64 bits.")
    machine.push(value)


def _constant(value: object) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(value)


def _mark(machine: _Machine, _: Any) -> None:
    machine.marks.append(len(machine.stack))


def _tuple_of(count: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(tuple(machine.pop(count)))


def _append(machine: _Machine, values: list[Any]) -> None:
    target = machine.top()
    if type(target) is not list:
        raise refused("It appends to something that is no list.")
    target.extend(values)


def _set_items(machine: _Machine, values: list[Any]) -> None:
    target = machine.top()
    keys = values[::2]
    if type(target) is not dict or len(values) % 2 or not all(type(key) is str for key in keys):
        raise refused("It sets items that are not fields of a dict.")
    target.update(zip(keys, values[1::2], strict=True))


def _new_dict(machine: _Machine, _: Any) -> None:
    values = machine.since_mark()
    machine.push({})
    _set_items(machine, values)


def _put(machine: _Machine, place: Any) -> None:
    machine.memo[int(place)] = machine.top()


def _memoize(machine: _Machine, _: Any) -> None:
    _put(machine, len(machine.memo))


def _get(machine: _Machine, place: Any) -> None:
    if int(place) not in machine.memo:
        raise refused("It is damaged: it refers to a value that it does not hold.")
    machine.push(machine.memo[int(place)])


def _global(machine: _Machine, name: Any) -> None:
    machine.push(named(str(name)))


def _stack_global(machine: _Machine, _: Any) -> None:
    module, name = machine.pop(2)
    if type(module) is not str or type(name) is not str:
        raise refused("It names something by no text.")
    machine.push(named(f"{module} {name}"))


def _call(*, instance: bool) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, _: Any) -> None:
        what, args = machine.pop(2)
        machine.push(made(what, args, instance=instance))

    return step


def _build(machine: _Machine, _: Any) -> None:
    (state,) = machine.pop()
    build(machine.top(), state)


def _nothing(_: _Machine, __: Any) -> None:
    return None


_LITERALS = (
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINBYTES", "BINBYTES",
)  # fmt: skip
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(_LITERALS, _literal),
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _nothing),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _get),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),  # noqa: FBT003  a value, not a switch
    "NEWFALSE": _constant(False),  # noqa: FBT003
    "MARK": _mark,
    "MEMOIZE": _memoize,
    "EMPTY_TUPLE": _constant(()),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "APPEND": lambda machine, _: _append(machine, machine.pop()),
    "APPENDS": lambda machine, _: _append(machine, machine.since_mark()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "DICT": _new_dict,
    "SETITEM": lambda machine, _: _set_items(machine, machine.pop(2)),
    "SETITEMS": lambda machine, _: _set_items(machine, machine.since_mark()),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _call(instance=False),
    "NEWOBJ": _call(instance=True),
    "BUILD": _build,
}
"""What each opcode does to the stack; the others are refused."""


def _check(value: object, *, depth: int, count: list[int]) -> None:
    """Refuse what is too deep or too much; a value that holds itself or many copies by reference is both."""
    count[0] += 1
    if depth > MAX_DEPTH or count[0] > MAX_VALUES:
        raise refused(f"It is nested more than {MAX_DEPTH} deep, or holds more than {MAX_VALUES} values.")
    if isinstance(value, bytes):
        raise refused("It holds bytes, which no field of a configuration is.")
    parts: tuple[object, ...] = ()
    if isinstance(value, dict):
        parts = tuple(value.values())
    elif isinstance(value, list | tuple):
        parts = tuple(value)
    elif isinstance(value, Inert):
        parts = (*(value.args or ()), value.state)
    for part in parts:
        _check(part, depth=depth + 1, count=count)
