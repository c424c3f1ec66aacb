"""Boundless distributed alignment search."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Site
from mibench.methods.alignment.align import align
from mibench.methods.alignment.fitting import Recipe
from mibench.methods.alignment.rotations import random_columns
from mibench.methods.alignment.settings import Count, Rate, training_of
from mibench.methods.alignment.subspaces import Annealing, BoundedSubspace
from mibench.methods.method import method
from mibench.methods.variable_view import VariableView

HALF = 0.5


@method(track="variable", name="boundless-das", version=1, needs=("train", "gradients", "randomness"), levels=())
def boundless_das(  # noqa: PLR0913 - a method's parameters are its settings
    view: VariableView,
    *,
    epochs: Count = None,
    batch: Count = None,
    lr: Rate = None,
    boundary_lr: Annotated[float, Field(gt=0, le=100)] = 1e-2,
    price: Annotated[float, Field(ge=0, le=1e6)] = 1.0,
    hot: Annotated[float, Field(gt=0, le=1e6)] = 50.0,
    cold: Annotated[float, Field(gt=0, le=1e6)] = 0.1,
) -> Featurizers:
    """Learn a rotation of all directions, and with it how many of them are swapped.

    x' = x_b + ((x_s − x_b) R · g) Rᵀ with R ``[d, d]`` as in ``das`` and g_j = σ((b d − j − ½) / T), b starting at ½,
    T going linearly from ``hot`` to ``cold``. Minimised is the loss of ``das`` + ``price`` · b; b stays in [0, 1]. At
    the end the directions with j + ½ < b d are swapped entirely; with b near 0 none is. The boundary's lower end,
    which the paper's code has as a second gate at 0, is left out. Cost: that of ``das``, and a QR decomposition of
    d × d a step. Source: Wu, Geiger, Icard, Potts, Goodman (2023), arXiv 2305.08809.

    Args:
        view: The cell's view.
        epochs: Times that each row is seen; None: the task's default.
        batch: Rows a step; None: the task's default.
        lr: Learning rate of the rotation; None: the task's default.
        boundary_lr: Learning rate of the boundary, a share of the width.
        price: Of the boundary.
        hot: Temperature at the first step, in features.
        cold: Temperature after the last step.
    """
    how = Annealing(hot, cold, price, boundary_lr)

    def start(site: Site, generator: torch.Generator) -> BoundedSubspace:
        width = view.width(site)
        free = random_columns(width, width, view.model, generator)
        return BoundedSubspace(free, free.new_full((), HALF).requires_grad_(), how)

    return align(view, [Recipe(start, training_of(view, epochs, batch, lr))])
