"""Alignment by a nonlinear invertible map: a control of what an alignment map can do by itself."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.sites import Site
from mibench.methods.alignment.align import align
from mibench.methods.alignment.couplings import Blocks, Coupled, random_coupled
from mibench.methods.alignment.fitting import Recipe
from mibench.methods.alignment.settings import Count, Rate, training_of
from mibench.methods.method import method
from mibench.methods.variable_view import VariableView


@method(track="variable", name="revnet", version=1, needs=("train", "gradients", "randomness"), levels=())
def revnet(  # noqa: PLR0913 - a method's parameters are its settings
    view: VariableView,
    *,
    k: Count = None,
    blocks: Annotated[int, Field(ge=1, le=60)] = 4,
    hidden: Annotated[int, Field(ge=1, le=100_000)] = 64,
    epochs: Count = None,
    batch: Count = None,
    lr: Rate = None,
) -> Featurizers:
    """Learn an invertible nonlinear map whose first k features are swapped. Not a finding, but a control.

    F is a rotation ``[d, d]`` and then ``blocks`` times [a, b] ↦ [b, a + net(b)], net of one hidden layer (GELU);
    net starts at 0, so that training starts where ``das`` does, and ``das`` is the case of net = 0. Such maps align
    even random networks with any algorithm, so what it gains over ``das`` says more of the map than of the network;
    the artifact's meta names the board ``control``. Trained as ``das``. Cost: that of ``das``, a QR decomposition of
    d × d and four passes through all nets a step. Source: Sutter, Minder, Hofmann, Pimentel (2025), arXiv 2507.08802
    (the rotation is ours); coupling: Gomez et al. (2017), arXiv 1707.04585, Dinh et al. (2014), arXiv 1410.8516.

    Args:
        view: The cell's view.
        k: Number of features that are swapped; None: the task's default, which is at most the width.
        blocks: Coupling blocks.
        hidden: Hidden units of each block's net.
        epochs: Times that each row is seen; None: the task's default.
        batch: Rows a step; None: the task's default.
        lr: Learning rate; None: the task's default.
    """
    sizes = {site: view.size(site, k) for site in view.sites}

    def start(site: Site, generator: torch.Generator) -> Coupled:
        return random_coupled(view.width(site), sizes[site], Blocks(blocks, hidden), view.model, generator)

    return align(view, [Recipe(start, training_of(view, epochs, batch, lr))], board="control")
