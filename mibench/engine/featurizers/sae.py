"""The kind sae: features of a sparse autoencoder, and what it reconstructs from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

Tensors = Mapping[str, torch.Tensor]


def encode(tensors: Tensors, options: Mapping[str, Any], x: torch.Tensor) -> torch.Tensor:
    """Return the features ``[..., k]`` of ``x [..., d]``."""
    centred = x - tensors["b_dec"] if options.get("apply_b_dec_to_input", False) else x
    before = centred @ tensors["w_enc"] + tensors["b_enc"]
    active = before.relu()
    if options["act"] == "relu":
        return active
    if options["act"] == "topk":
        largest = active.topk(options["k"], dim=-1)
        return torch.zeros_like(active).scatter(-1, largest.indices, largest.values)
    threshold = options.get("threshold")
    bound = tensors["threshold"] if threshold is None else threshold
    return torch.where(before > bound, active, torch.zeros_like(active))


def decode(tensors: Tensors, _options: Mapping[str, Any], features: torch.Tensor) -> torch.Tensor:
    """Return ``f w_dec + b_dec``, ``[..., d]``."""
    return features @ tensors["w_dec"] + tensors["b_dec"]


def decode_difference(tensors: Tensors, _options: Mapping[str, Any], difference: torch.Tensor) -> torch.Tensor:
    """Return ``Δf w_dec``, ``[..., d]``: how far apart two features are decoded."""
    return difference @ tensors["w_dec"]
