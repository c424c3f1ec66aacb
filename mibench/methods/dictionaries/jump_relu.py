"""Training of dictionaries with a JumpReLU and an L0 penalty."""

from __future__ import annotations

import math
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
from mibench.methods.dictionaries.straight_through import jump_relu, step


@dataclass(frozen=True, eq=False)
class JumpRelu(Learner):
    """Pre-activations above a learnt threshold, each at a price that does not depend on its size.

    Attributes:
        weights: Encoder and decoder.
        log_threshold: log θ, ``[width]``.
        bandwidth: ε, the width around θ from which θ learns.
        price: λ.
    """

    log_threshold: Tensor
    bandwidth: float
    price: Price

    @property
    def settings(self) -> Mapping[str, Any]:
        """The target and the bandwidth."""
        return {"target": self.price.target, "bandwidth": self.bandwidth}

    @property
    def learnable(self) -> Mapping[str, Tensor]:
        """Encoder, decoder and log θ."""
        return {**self.weights.named, "log_threshold": self.log_threshold}

    @property
    def kept(self) -> Mapping[str, Tensor]:
        """Log λ."""
        return {"price": self.price.state}

    def step(self, batch: Activations, moment: Moment) -> Outcome:
        """Squared error + λ L0."""
        known = self.weights.preactivations(batch.inputs)
        threshold = self.log_threshold.exp()
        pattern = above(known, threshold.detach() - self.bandwidth / 2)
        found = picked(self.weights.encoder, batch.inputs, known, pattern)
        bounds = threshold[pattern.columns]
        latents = jump_relu(found, bounds, self.bandwidth)
        residual = batch.targets - decode(latents, pattern, self.weights.w_dec) - self.weights.b_dec
        active = step(found, bounds, self.bandwidth).sum() / len(known)
        price = self.price.value * warmed(moment.step, moment.recipe.steps)
        l0 = active.item()
        self.price.saw(l0, moment.step, moment.recipe.steps)
        return Outcome(residual.square().sum(1).mean() + price * active, residual.detach(), l0)

    def learnt(self) -> Learnt:
        """The weights and θ."""
        tensors = {**self.weights.named, "threshold": self.log_threshold.exp()}
        return Learnt("jumprelu", "jumprelu", tensors, meta={"coefficient": self.price.value})


def start_jump_relu(
    sample: Sample, width: int, sparsity: Sparsity, bandwidth: float, generator: torch.Generator
) -> JumpRelu:
    """An untrained dictionary. θ starts at the bound for the wanted L0, λ, if it is adapted, at a quarter
    of its square.
    """
    start = start_penalised(sample, width, sparsity, generator, jump=True)
    log_threshold = torch.full_like(start.weights.b_enc, math.log(start.bound))
    price = sparsity.price(start.bound**2 / 4, log_threshold.device)
    return JumpRelu(start.weights, log_threshold, bandwidth * start.spread, price)
