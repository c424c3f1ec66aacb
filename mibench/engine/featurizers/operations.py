"""Apply operations and undo them; every kind of the artifact has its two functions here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch

from mibench.artifacts.featurizers.checks import options_of
from mibench.artifacts.featurizers.operation import Operation
from mibench.engine.featurizers import coupling, householder, matrices, sae

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class TensorOperation:
    """An operation whose arrays are tensors; a method puts its parameters in and trains through it.

    Tensors may have leading dimensions, with which those of the activations broadcast: ``rotation [n, 1, d, k]``
    applies n rotations to ``x [rows, pos, d]`` at once.

    Attributes:
        kind: As of the artifact.
        tensors: By the names that the kind declares.
        options: As of the artifact; defaults are filled in.
    """

    kind: str
    tensors: Tensors = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


Function = Callable[[Tensors, Any, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Rule:
    """What a kind computes.

    Attributes:
        apply: Features of an activation.
        undo: The activation of features.
        undo_difference: The difference of two undone activations from that of their features, if that is enough.
        lossy: Features can lack something of the activation: an error term is carried.
    """

    apply: Function
    undo: Function
    undo_difference: Function | None
    lossy: bool = False


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "identity": Rule(matrices.same, matrices.same, matrices.same),
        "affine": Rule(matrices.standardise, matrices.restore, matrices.rescale),
        "orthogonal": Rule(matrices.rotate, matrices.rotate_back, matrices.rotate_back, lossy=True),
        "linear": Rule(matrices.map_linearly, matrices.map_back, matrices.map_back, lossy=True),
        "sae": Rule(sae.encode, sae.decode, sae.decode_difference, lossy=True),
        "householder": Rule(householder.reflect, householder.reflect_back, householder.reflect_back),
        "coupling": Rule(coupling.couple, coupling.uncouple, None),
    }
)
"""By kind; an edit is none of these."""


def on_device(operation: Operation, *, device: torch.device | str, dtype: torch.dtype) -> TensorOperation:
    """Return ``operation`` with its floating-point arrays as ``dtype`` tensors on ``device``."""
    tensors = {}
    for name, array in operation.tensors.items():
        tensor = torch.tensor(array)
        tensors[name] = tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else tensor.dtype)
    return TensorOperation(operation.kind, tensors, options_of(operation).model_dump())


def as_data(operation: TensorOperation) -> Operation:
    """Return a trained operation as data for an artifact; 16-bit numbers become float32."""
    arrays = {}
    for name, tensor in operation.tensors.items():
        narrow = tensor.is_floating_point() and tensor.element_size() < 4
        arrays[name] = (tensor.float() if narrow else tensor).detach().cpu().numpy()
    return Operation(operation.kind, arrays, operation.options)


def forward(operation: TensorOperation, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the features of ``x`` and its error term, what the features lack.

    Args:
        operation: Any kind but an edit.
        x: ``[..., d]``.

    Returns:
        Features ``[..., k]``; error ``[..., d]``, or None where the operation loses nothing.
    """
    rule = RULES[operation.kind]
    found = apply(operation, x)
    return found, x - rule.undo(operation.tensors, operation.options, found) if rule.lossy else None


def apply(operation: TensorOperation, x: torch.Tensor) -> torch.Tensor:
    """Return the features ``[..., k]`` of ``x [..., d]`` alone."""
    return RULES[operation.kind].apply(operation.tensors, operation.options, x)


def inverse(operation: TensorOperation, features: torch.Tensor, error: torch.Tensor | None) -> torch.Tensor:
    """Return the activation ``[..., d]`` of ``features [..., k]`` and an error term."""
    x = RULES[operation.kind].undo(operation.tensors, operation.options, features)
    return x if error is None else x + error
