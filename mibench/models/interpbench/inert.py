"""What a configuration pickle may name: stand-ins that carry data and are never called."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mibench.core.errors import ModelError

CONFIG_CLASS = "transformer_lens.HookedTransformerConfig HookedTransformerConfig"
_DTYPE = "numpy dtype"
_SCALARS = frozenset({"numpy.core.multiarray scalar", "numpy._core.multiarray scalar"})
_DEVICE = "torch device"
_VALUES = frozenset({"torch float16", "torch bfloat16", "torch float32", "torch float64"})
_KNOWN = frozenset({CONFIG_CLASS, _DTYPE, _DEVICE, *_SCALARS, *_VALUES})
_NUMBERS = {"f8": "<d", "f4": "<f", "i8": "<q", "i4": "<i", "b1": "<?"}
_SHOWN = 80


@dataclass(eq=False)
class Inert:
    """A name in a pickle, or what the pickle says should be made of it.

    Attributes:
        name: Module and name, with a space between them.
        args: What it would have been made with; None: it is only named.
        state: What the pickle sets on it afterwards.
    """

    name: str
    args: tuple[object, ...] | None = None
    state: object = None


def refused(why: str) -> ModelError:
    """Return the error for a pickle that is not read."""
    return ModelError(
        "The pickled configuration is not read.",
        why=why,
        do="Take the file from the hub again; only a configuration of TransformerLens is read, and nothing is run.",
    )


def named(name: str) -> Inert:
    """Return the stand-in for a global of the pickle.

    Raises:
        ModelError: It is none that a configuration holds.
    """
    if name not in _KNOWN:
        raise refused(f"It names {_short(name.replace(' ', '.'))}, which is no part of a configuration.")
    return Inert(name)


def made(what: object, args: object, *, instance: bool) -> object:
    """Return the stand-in for a call of ``what``; a NumPy scalar becomes its number.

    Args:
        what: What the pickle wants called.
        args: With which arguments.
        instance: It is an instance of a class, rather than the result of a call.

    Raises:
        ModelError: A configuration needs no such call.
    """
    if not isinstance(what, Inert) or what.args is not None or not isinstance(args, tuple):
        raise refused("It calls something that is no name, or with no tuple.")
    if instance and (what.name != CONFIG_CLASS or args):
        raise refused(f"It makes an instance of {what.name.replace(' ', '.')}.")
    if not instance and what.name not in {_DTYPE, _DEVICE, *_SCALARS}:
        raise refused(f"It calls {what.name.replace(' ', '.')}.")
    return _number(args) if what.name in _SCALARS else Inert(what.name, args)


def build(target: object, state: object) -> None:
    """Note the state that the pickle gives to ``target``.

    Raises:
        ModelError: It is neither a configuration nor a dtype, or has its state already.
    """
    wanted: type = dict if isinstance(target, Inert) and target.name == CONFIG_CLASS else tuple
    known = isinstance(target, Inert) and target.name in {CONFIG_CLASS, _DTYPE} and target.args is not None
    if not isinstance(target, Inert) or not known or target.state is not None or not isinstance(state, wanted):
        raise refused("It sets a state on something that has none.")
    target.state = state


def _number(args: tuple[object, ...]) -> object:
    """The number in a pickled NumPy scalar: its dtype, and its bytes."""
    dtype, content = args if len(args) == 2 else (None, None)
    if isinstance(dtype, Inert) and dtype.name == _DTYPE and dtype.args and isinstance(content, bytes):
        form = _NUMBERS.get(str(dtype.args[0]))
        order = dtype.state[1] if isinstance(dtype.state, tuple) and len(dtype.state) > 1 else None
        if form and order in ("<", "|") and struct.calcsize(form) == len(content):
            return struct.unpack(form, content)[0]
    raise refused("It holds a NumPy scalar of an unknown form.")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
