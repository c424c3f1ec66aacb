"""Training with decoder directions that stay where chance put them, or near there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from mibench.methods.dictionaries.learner import Learnt
from mibench.methods.dictionaries.top_k import TopK
from mibench.methods.dictionaries.weights import norms


@dataclass(frozen=True, eq=False)
class Frozen(TopK):
    """A `TopK` whose decoder rows stay near random ones.

    Attributes:
        anchor: The random rows, ``[width, d_out]``.
        least: Smallest cosine with them; 1: the decoder is not trained.
    """

    anchor: Tensor
    least: float

    @property
    def settings(self) -> Mapping[str, Any]:
        """K and how near."""
        return {**super().settings, "least": self.least}

    @property
    def learnable(self) -> Mapping[str, Tensor]:
        """Without the decoder where that is not trained."""
        return {name: one for name, one in self.weights.named.items() if name != "w_dec" or self.least < 1}

    @torch.no_grad()
    def settle(self) -> None:
        """Put rows that have gone too far back onto the cone around their random ones."""
        if self.least == 1:
            return
        super().settle()
        rows = self.weights.w_dec
        along = (rows * self.anchor).sum(1, keepdim=True)
        across = rows - along * self.anchor
        edge = self.least * self.anchor + math.sqrt(1 - self.least**2) * across / norms(across)
        rows.copy_(torch.where(along < self.least, edge, rows))

    def learnt(self) -> Learnt:
        """As `TopK`, under its own name."""
        return replace(super().learnt(), architecture="frozen-decoder")


def start_frozen(start: TopK, least: float) -> Frozen:
    """The same dictionary, its decoder held where it is."""
    return Frozen(start.weights, start.idle, start.k, start.weights.w_dec.clone(), least)
