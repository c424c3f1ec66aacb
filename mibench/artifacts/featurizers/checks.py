"""Check operations against their kinds: names, types, shapes, finite numbers, and what each kind asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import ValidationError

from mibench.artifacts.circuit import brief
from mibench.artifacts.featurizers.kinds import (
    affine,
    coupling,
    householder,
    identity,
    linear,
    low_rank_edit,
    orthogonal,
    sae,
)
from mibench.artifacts.featurizers.kinds.kind import Kind, Shape
from mibench.artifacts.featurizers.operation import Array, Operation, refuse

_MODULES = (identity, affine, orthogonal, linear, sae, householder, coupling, low_rank_edit)
KINDS: Mapping[str, Kind] = MappingProxyType({module.KIND.name: module.KIND for module in _MODULES})
"""Every kind of operation that is read, by name."""

MAX_OPERATIONS = 64
MAX_ENTRIES = 2**29
"""Largest tensor: a dictionary of 131 072 features for a residual stream of 4096."""
_INTEGERS = {"permutation"}


def kind_of(operation: Operation) -> Kind:
    """Return the kind of ``operation``.

    Raises:
        ArtifactError: There is no such kind.
    """
    kind = KINDS.get(operation.kind) if isinstance(operation.kind, str) else None
    if kind is None:
        raise refuse(f"{brief(operation.kind)} is no kind of operation.", f"Use one of {', '.join(KINDS)}.")
    return kind


def options_of(operation: Operation) -> Any:
    """Return the options of ``operation``, checked, defaults filled in.

    Raises:
        ArtifactError: An option is unknown or has a wrong value.
    """
    try:
        return kind_of(operation).options.model_validate(dict(operation.options))
    except ValidationError as error:
        why = " ".join(str(error).splitlines()[1:3])
        raise refuse(f"Options of {operation.kind}: {why:.300}", "Give the options of its kind.") from error


def feature_width(operations: Sequence[Operation], width: int | None = None) -> int | None:
    """Return how many features come out of checked operations, at no cost.

    Args:
        operations: Applied in order; checked before.
        width: Entries of the activation; None: not known.

    Returns:
        None where only identities are applied to an unknown width.
    """
    for operation in operations:
        kind = kind_of(operation)
        for name, shape in kind.tensors(options_of(operation)).items():
            if kind.width in shape:
                width = operation.tensors[name].shape[shape.index(kind.width)]
    return width


def check_pipeline(operations: Sequence[Operation], width: int | None, *, numbers: bool = True) -> int | None:
    """Check operations that are applied in order, and return how many features come out.

    Args:
        operations: At least one.
        width: Entries of the activation; None: not known.
        numbers: Look at the numbers too, not at names, types and shapes alone.

    Returns:
        The number of features; None where only identities are applied to an unknown width.

    Raises:
        ArtifactError: Something is wrong with an operation, or two do not fit together.
    """
    if not 1 <= len(operations) <= MAX_OPERATIONS:
        raise refuse(f"A site has {len(operations)} operations.", f"Give 1 to {MAX_OPERATIONS}; identity is one.")
    for operation in operations:
        if kind_of(operation).edit and len(operations) > 1:
            raise refuse(f"{operation.kind} stands with other operations.", "It is an edit: give it alone.")
        width = _check_operation(operation, width, numbers=numbers)
    return width


def _check_operation(operation: Operation, width: int | None, *, numbers: bool) -> int | None:
    kind, options = kind_of(operation), options_of(operation)
    expected = kind.tensors(options)
    if set(operation.tensors) != set(expected):
        why = f"{kind.name} has the tensors {_listed(operation.tensors)}, not {_listed(expected)}."
        raise refuse(why, "Give those that its kind and options ask for.")
    sizes = {} if width is None else {"d": width}
    for name, shape in expected.items():
        _check_type(kind.name, name, operation.tensors[name])
        _bind(f"'{name}' of {kind.name}", operation.tensors[name].shape, shape, sizes)
    if numbers:
        _check_finite(operation)
        kind.check(operation.tensors, options)
    return sizes.get(kind.width)


def _check_finite(operation: Operation) -> None:
    for name, array in operation.tensors.items():
        if not np.isfinite(array).all():
            why = f"'{name}' of {operation.kind} holds NaN or infinity."
            raise refuse(why, "Train it again, or leave the site out.")


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(str(name)[:40] for name in sorted(names)[:12]) or "none"


def _check_type(kind: str, name: str, array: Array) -> None:
    allowed = ("int64",) if name in _INTEGERS else ("float32", "float64")
    if str(array.dtype) not in allowed:
        raise refuse(f"'{name}' of {kind} holds {array.dtype!s:.40}.", f"Save it as {allowed[0]}.")
    if array.size > MAX_ENTRIES:
        raise refuse(f"'{name}' of {kind} has {array.size} entries; the limit is {MAX_ENTRIES}.", "Make it smaller.")


def _bind(what: str, found: tuple[int, ...], shape: Shape, sizes: dict[str, int]) -> None:
    """Check that ``found`` is a ``shape``, whose known sizes are in ``sizes``; note the others there."""
    wanted = ", ".join(f"{name} = {sizes[name]}" if name in sizes else name for name in shape)
    if len(found) != len(shape):
        raise refuse(f"{what} has shape {list(found)}, not [{wanted}].", "Fix its shape.")
    for name, size in zip(shape, found, strict=True):
        if size < 1 or sizes.setdefault(name, size) != size:
            raise refuse(f"{what} has shape {list(found)}, not [{wanted}].", "Fix its shape, or name the right model.")
