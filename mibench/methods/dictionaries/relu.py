"""Training of dictionaries with a ReLU and an L1 penalty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mibench.engine.activations.source import Activations
from mibench.methods.dictionaries.controller import Price
from mibench.methods.dictionaries.learner import Learner, Learnt, Moment, Outcome
from mibench.methods.dictionaries.penalised import Sparsity, start_penalised
from mibench.methods.dictionaries.sample import Sample
from mibench.methods.dictionaries.schedules import warmed
from mibench.methods.dictionaries.selection import above
from mibench.methods.dictionaries.sparse import decode, picked


@dataclass(frozen=True, eq=False)
class Relu(Learner):
    """All positive pre-activations, each at a price.

    Attributes:
        weights: Encoder and decoder.
        price: λ.
    """

    price: Price

    @property
    def settings(self) -> Mapping[str, Any]:
        """The target."""
        return {"target": self.price.target}

    @property
    def kept(self) -> Mapping[str, Tensor]:
        """Log λ."""
        return {"price": self.price.state}

    def step(self, batch: Activations, moment: Moment) -> Outcome:
        """Squared error + λ Σ f; rows of the decoder have norm 1."""
        known = self.weights.preactivations(batch.inputs)
        pattern = above(known, 0.0)
        latents = picked(self.weights.encoder, batch.inputs, known, pattern)
        residual = batch.targets - decode(latents, pattern, self.weights.w_dec) - self.weights.b_dec
        price = self.price.value * warmed(moment.step, moment.recipe.steps)
        loss = residual.square().sum(1).mean() + price * latents.sum() / len(known)
        l0 = len(pattern.columns) / len(known)
        self.price.saw(l0, moment.step, moment.recipe.steps)
        return Outcome(loss, residual.detach(), l0)

    def learnt(self) -> Learnt:
        """The weights."""
        return Learnt("relu", "relu", self.weights.named, meta={"coefficient": self.price.value})


def start_relu(sample: Sample, width: int, sparsity: Sparsity, generator: torch.Generator) -> Relu:
    """An untrained dictionary. λ, if it is adapted, starts at a quarter of the bound for the wanted L0."""
    start = start_penalised(sample, width, sparsity, generator, jump=False)
    return Relu(start.weights, sparsity.price(start.bound / 4, start.weights.b_enc.device))
