"""The kinds identity, affine, orthogonal and linear: functions of (tensors, options, ``[..., width]``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

Tensors = Mapping[str, torch.Tensor]


def same(_tensors: Tensors, _options: Any, x: torch.Tensor) -> torch.Tensor:
    """Return ``x`` itself."""
    return x


def standardise(tensors: Tensors, _options: Any, x: torch.Tensor) -> torch.Tensor:
    """Return ``(x − mean) / scale``."""
    return (x - tensors["mean"]) / tensors["scale"]


def restore(tensors: Tensors, _options: Any, features: torch.Tensor) -> torch.Tensor:
    """Undo ``standardise``."""
    return features * tensors["scale"] + tensors["mean"]


def rescale(tensors: Tensors, _options: Any, difference: torch.Tensor) -> torch.Tensor:
    """Undo ``standardise`` for the difference of two features."""
    return difference * tensors["scale"]


def rotate(tensors: Tensors, _options: Any, x: torch.Tensor) -> torch.Tensor:
    """Return ``x R``, ``[..., k]``."""
    return x @ tensors["rotation"]


def rotate_back(tensors: Tensors, _options: Any, features: torch.Tensor) -> torch.Tensor:
    """Return ``f Rᵀ``, ``[..., d]``: the part of ``x`` in the subspace."""
    return features @ tensors["rotation"].mT


def map_linearly(tensors: Tensors, _options: Any, x: torch.Tensor) -> torch.Tensor:
    """Return ``x W``, ``[..., k]``."""
    return x @ tensors["weight"]


def map_back(tensors: Tensors, _options: Any, features: torch.Tensor) -> torch.Tensor:
    """Return ``f inverse``, ``[..., d]``."""
    return features @ tensors["inverse"]
