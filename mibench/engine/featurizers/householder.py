"""The kind householder: a product of reflections, m·d numbers for an orthogonal map of the full width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

Tensors = Mapping[str, torch.Tensor]


def reflect(tensors: Tensors, _options: Any, x: torch.Tensor) -> torch.Tensor:
    """Reflect ``x [..., d]`` at one row of ``vectors [m, d]`` after another."""
    for vector in tensors["vectors"]:
        x = _reflected(x, vector)
    return x


def reflect_back(tensors: Tensors, _options: Any, features: torch.Tensor) -> torch.Tensor:
    """Undo ``reflect``: the same reflections, last first."""
    for vector in tensors["vectors"].flip(0):
        features = _reflected(features, vector)
    return features


def _reflected(x: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    along = (x * vector).sum(-1, keepdim=True) / vector.square().sum()
    return x - 2 * along * vector
