"""Orthonormal columns as a differentiable function of a free matrix.

Q of the QR decomposition with R's diagonal positive: the first j columns of Q span what the first j columns of the free
matrix span, and an orthonormal matrix is its own Q. The length of a column has no effect and no gradient, so that steps
get relatively smaller as columns grow, which a learning rate as large as 1 needs.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.artifacts.featurizers.operation import Operation
from mibench.engine.model import LanguageModel


def orthonormal(free: Tensor) -> Tensor:
    """Orthonormal columns ``[d, k]`` of a free matrix ``[d, k]``, k ≤ d."""
    q, r = torch.linalg.qr(free)
    signs = r.detach().diagonal().sign()
    columns: Tensor = q * torch.where(signs == 0, torch.ones_like(signs), signs)
    return columns


def random_columns(width: int, k: int, model: LanguageModel, generator: torch.Generator) -> Tensor:
    """A learnable matrix ``[width, k]`` that starts with random orthonormal columns, uniform over all such.

    It is drawn in memory and in float64, so that every device and type starts at the same point.
    """
    drawn = torch.randn(width, k, generator=generator, dtype=torch.float64)
    return orthonormal(drawn).to(model.device, model.accumulate).requires_grad_()


def orthogonal_operation(rotation: Tensor) -> Operation:
    """The operation ``orthogonal`` of columns ``[d, k]``, in float32."""
    return Operation("orthogonal", {"rotation": as_array(rotation)})


def as_array(tensor: Tensor) -> NDArray[np.float32]:
    """A tensor as a float32 array of its own."""
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy().copy()
