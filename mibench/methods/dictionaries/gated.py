"""Training of gated dictionaries."""

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
class Gated(Learner):
    """Gates say which latents are on, magnitudes how much; both read π = W_enc (x − b_dec).

    Attributes:
        weights: Encoder and decoder; the bias of the encoder is that of the gates.
        r_mag: ``[width]``.
        b_mag: ``[width]``.
        price: λ.
    """

    r_mag: Tensor
    b_mag: Tensor
    price: Price

    @property
    def settings(self) -> Mapping[str, Any]:
        """The target."""
        return {"target": self.price.target}

    @property
    def learnable(self) -> Mapping[str, Tensor]:
        """Encoder, decoder, rescaling and bias of the magnitudes."""
        return {**self.weights.named, "r_mag": self.r_mag, "b_mag": self.b_mag}

    @property
    def kept(self) -> Mapping[str, Tensor]:
        """Log λ."""
        return {"price": self.price.state}

    def step(self, batch: Activations, moment: Moment) -> Outcome:
        """Squared error + λ Σ relu(gate) + squared error of what the gates alone reconstruct by a frozen decoder."""
        weights, target = self.weights, batch.targets
        known = weights.preactivations(batch.inputs)
        pattern = above(known, 0.0)
        bare = picked((weights.w_enc, weights.shift), batch.inputs, known - weights.b_enc.detach(), pattern)
        gates = bare + weights.b_enc[pattern.columns]
        latents = (self.r_mag[pattern.columns].exp() * bare + self.b_mag[pattern.columns]).relu()
        residual = target - decode(latents, pattern, weights.w_dec) - weights.b_dec
        via_gates = target - decode(gates, pattern, weights.w_dec.detach()) - weights.b_dec.detach()
        price = self.price.value * warmed(moment.step, moment.recipe.steps)
        loss = residual.square().sum(1).mean() + via_gates.square().sum(1).mean() + price * gates.sum() / len(known)
        l0 = float(torch.count_nonzero(latents.detach())) / len(known)
        self.price.saw(l0, moment.step, moment.recipe.steps)
        return Outcome(loss, residual.detach(), l0)

    def learnt(self) -> Learnt:
        """The weights, the encoder's bias as that of the gates."""
        tensors = {**self.weights.named, "r_mag": self.r_mag, "b_mag": self.b_mag}
        tensors["b_gate"] = tensors.pop("b_enc")
        return Learnt("gated", "gated", tensors, meta={"coefficient": self.price.value})


def start_gated(sample: Sample, width: int, sparsity: Sparsity, generator: torch.Generator) -> Gated:
    """An untrained dictionary, gates and magnitudes alike. λ, if adapted, starts as for ReLU."""
    start = start_penalised(sample, width, sparsity, generator, jump=False)
    r_mag = torch.zeros_like(start.weights.b_enc)
    price = sparsity.price(start.bound / 4, r_mag.device)
    return Gated(start.weights, r_mag, start.weights.b_enc.clone(), price)
