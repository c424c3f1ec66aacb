"""Learnt linear subspaces: with a fixed number of directions, or with a boundary that is learnt too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mibench.core.sites import Site
from mibench.engine.featurizers.edit import interchange
from mibench.engine.featurizers.operations import TensorOperation
from mibench.engine.interchange.options import Edit
from mibench.methods.alignment.fitting import Start
from mibench.methods.alignment.rotations import orthogonal_operation, orthonormal, random_columns
from mibench.methods.alignment.site_map import Exported, annealed
from mibench.methods.variable_view import VariableView


def swap_along(rotation: Tensor, gates: Tensor | None = None) -> Edit:
    """Swap the base's parts along directions for the source's.

    Args:
        rotation: Orthonormal columns, ``[d, k]``.
        gates: How much of each is swapped, ``[k]``; None: all of it.
    """
    return partial(interchange, (TensorOperation("orthogonal", {"rotation": rotation}),), gates)


@dataclass(frozen=True)
class Subspace:
    """Directions that are all swapped.

    Attributes:
        free: What is learnt, ``[d, k]``; ``orthonormal`` of it are the directions.
    """

    free: Tensor

    def groups(self) -> list[dict[str, Any]]:
        """The one learnt tensor."""
        return [{"params": [self.free]}]

    def edit(self, done: float) -> Edit:  # noqa: ARG002
        """The interchange of the subspace."""
        return swap_along(orthonormal(self.free))

    def penalty(self, done: float) -> Tensor:  # noqa: ARG002
        """Nothing."""
        return self.free.new_zeros(())

    def settle(self) -> None:
        """Nothing to put back."""

    def exported(self) -> Exported:
        """The directions; all are selected."""
        return (orthogonal_operation(orthonormal(self.free)),), "all"


@dataclass(frozen=True)
class Annealing:
    """How a boundary is learnt.

    Attributes:
        start: Temperature at the first step, in features.
        end: Temperature after the last.
        price: Of the boundary, as a share of the width.
        lr: Learning rate of the boundary.
    """

    start: float
    end: float
    price: float
    lr: float


@dataclass(frozen=True)
class BoundedSubspace:
    """All directions of a site, swapped up to a learnt boundary ``b`` in [0, 1].

    Direction j of d is swapped by σ((b d − j − ½) / T); at the end those with j + ½ < b d are.

    Attributes:
        free: What is learnt of the rotation, ``[d, d]``.
        boundary: The boundary, ``[]``.
        how: How it is learnt.
    """

    free: Tensor
    boundary: Tensor
    how: Annealing

    def groups(self) -> list[dict[str, Any]]:
        """The rotation, and the boundary with its own learning rate."""
        return [{"params": [self.free]}, {"params": [self.boundary], "lr": self.how.lr}]

    def _inside(self) -> Tensor:
        """How far each direction is inside the boundary, in features, ``[d]``."""
        width = len(self.free)
        return self.boundary * width - torch.arange(width, device=self.free.device) - 0.5

    def edit(self, done: float) -> Edit:
        """The interchange by soft gates."""
        gates = (self._inside() / annealed(self.how.start, self.how.end, done)).sigmoid()
        return swap_along(orthonormal(self.free), gates)

    def penalty(self, done: float) -> Tensor:  # noqa: ARG002
        """The price of the boundary."""
        return self.how.price * self.boundary

    @torch.no_grad()
    def settle(self) -> None:
        """Keep the boundary in [0, 1]."""
        self.boundary.clamp_(0, 1)

    @torch.no_grad()
    def exported(self) -> Exported:
        """The directions inside the boundary; none of them selected if there are none."""
        count = int((self._inside() > 0).sum())
        rotation = orthonormal(self.free)[:, : max(count, 1)]
        return (orthogonal_operation(rotation),), "all" if count else np.zeros(1, dtype=np.bool_)


def random_subspaces(view: VariableView, k: int | None) -> Start:
    """Starts subspaces of ``k`` random directions; None: as many as the task says.

    Raises:
        MethodError: ``k`` is above the width of a site.
    """
    sizes = {site: view.size(site, k) for site in view.sites}

    def start(site: Site, generator: torch.Generator) -> Subspace:
        return Subspace(random_columns(view.width(site), sizes[site], view.model, generator))

    return start
