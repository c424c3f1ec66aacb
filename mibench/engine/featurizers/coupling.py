"""The kind coupling: one block of an invertible network."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch.nn import functional

Tensors = Mapping[str, torch.Tensor]

_ACTIVATIONS = MappingProxyType(
    {"relu": torch.relu, "gelu": functional.gelu, "tanh": torch.tanh, "silu": functional.silu}
)


def couple(tensors: Tensors, options: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor:
    """Return ``[a, b + net(a)]``, or ``[a, b · exp(tanh(s)) + t]``, of the permuted ``x [..., d]``."""
    kept, changed = _cut(options, x[..., tensors["permutation"]])
    scale, shift = _network(tensors, options, kept)
    changed = changed + shift if scale is None else changed * scale.exp() + shift
    return torch.cat([kept, changed], dim=-1)


def uncouple(tensors: Tensors, options: Mapping[str, Any], features: torch.Tensor) -> torch.Tensor:
    """Undo ``couple``."""
    kept, changed = _cut(options, features)
    scale, shift = _network(tensors, options, kept)
    changed = changed - shift if scale is None else (changed - shift) * (-scale).exp()
    return torch.cat([kept, changed], dim=-1)[..., tensors["permutation"].argsort()]


def _cut(options: Mapping[str, Any], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    split = options["split"]
    return x[..., :split], x[..., split:]


def _network(tensors: Tensors, options: Mapping[str, Any], x: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor]:
    """The logarithm of the scale (affine form only), and the shift, each ``[..., d − split]``."""
    activation = _ACTIVATIONS[options.get("act", "relu")]
    for layer in range(options["layers"]):
        x = activation(x) if layer else x
        x = x @ tensors[f"w{layer}"] + tensors[f"b{layer}"]
    if options.get("form", "additive") == "additive":
        return None, x
    scale, shift = x.chunk(2, dim=-1)
    return scale.tanh(), shift
