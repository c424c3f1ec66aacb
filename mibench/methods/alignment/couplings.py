"""Learnt nonlinear invertible maps: a rotation, then additive coupling blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mibench.artifacts.featurizers.operation import Operation
from mibench.engine.featurizers.edit import interchange
from mibench.engine.featurizers.operations import TensorOperation
from mibench.engine.interchange.options import Edit
from mibench.engine.model import LanguageModel
from mibench.methods.alignment.rotations import as_array, orthogonal_operation, orthonormal, random_columns
from mibench.methods.alignment.site_map import Exported


@dataclass(frozen=True)
class Blocks:
    """Sizes of the nonlinear part: how many blocks, and hidden units of each block's network."""

    number: int
    hidden: int


@dataclass(frozen=True)
class Coupled:
    """The first k features of a rotation followed by coupling blocks are swapped.

    Attributes:
        free: What is learnt of the rotation, ``[d, d]``.
        blocks: What is learnt of each block: ``w0 [d // 2, hidden]``, ``b0``, ``w1 [hidden, d − d // 2]``, ``b1``.
        k: Number of features that are swapped.
    """

    free: Tensor
    blocks: tuple[Mapping[str, Tensor], ...]
    k: int

    @property
    def _options(self) -> dict[str, Any]:
        return {"form": "additive", "act": "gelu", "layers": 2, "split": len(self.free) // 2}

    @property
    def _permutation(self) -> Tensor:
        """The half that a block changed is what the next one reads."""
        width = len(self.free)
        return torch.arange(width, device=self.free.device).roll(-(width // 2))

    def groups(self) -> list[dict[str, Any]]:
        """The rotation and all blocks."""
        return [{"params": [self.free, *(tensor for block in self.blocks for tensor in block.values())]}]

    def edit(self, done: float) -> Edit:  # noqa: ARG002
        """The interchange of the first k features."""
        taken = torch.arange(len(self.free), device=self.free.device) < self.k
        rotation = TensorOperation("orthogonal", {"rotation": orthonormal(self.free)})
        permutation = self._permutation
        couplings = (
            TensorOperation("coupling", {"permutation": permutation, **block}, self._options) for block in self.blocks
        )
        return partial(interchange, (rotation, *couplings), taken)

    def penalty(self, done: float) -> Tensor:  # noqa: ARG002
        """Nothing."""
        return self.free.new_zeros(())

    def settle(self) -> None:
        """Nothing to put back."""

    def exported(self) -> Exported:
        """Rotation and blocks; the first k features are selected."""
        permutation = self._permutation.cpu().numpy().astype(np.int64)
        couplings = (
            Operation(
                "coupling",
                {"permutation": permutation, **{name: as_array(tensor) for name, tensor in block.items()}},
                self._options,
            )
            for block in self.blocks
        )
        return (orthogonal_operation(orthonormal(self.free)), *couplings), tuple(range(self.k))


def random_coupled(width: int, k: int, blocks: Blocks, model: LanguageModel, generator: torch.Generator) -> Coupled:
    """A random rotation, and blocks that start as the identity: their last layer is 0, the first random."""
    free = random_columns(width, width, model, generator)
    return Coupled(free, tuple(_block(width, blocks.hidden, model, generator) for _ in range(blocks.number)), k)


def _block(width: int, hidden: int, model: LanguageModel, generator: torch.Generator) -> dict[str, Tensor]:
    read = width // 2
    drawn = {
        "w0": torch.randn(read, hidden, generator=generator, dtype=torch.float64) / read**0.5,
        "b0": torch.zeros(hidden),
        "w1": torch.zeros(hidden, width - read),
        "b1": torch.zeros(width - read),
    }
    return {name: tensor.to(model.device, model.accumulate).requires_grad_() for name, tensor in drawn.items()}
