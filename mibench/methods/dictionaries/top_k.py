"""Training of dictionaries that keep the k largest latents of a token, or k a token of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mibench.engine.activations.source import Activations
from mibench.methods.dictionaries.dead import Idle, auxiliary_loss
from mibench.methods.dictionaries.learner import Learner, Learnt, Moment, Outcome
from mibench.methods.dictionaries.patterns import Pattern
from mibench.methods.dictionaries.recipe import check_kept
from mibench.methods.dictionaries.sample import Sample
from mibench.methods.dictionaries.selection import batch_top_k, counted, top_k
from mibench.methods.dictionaries.sparse import decode, picked
from mibench.methods.dictionaries.thresholds import RunningThreshold
from mibench.methods.dictionaries.weights import fit_scale, random_weights

AUXILIARY = 1 / 32
"""Weight of the loss that brings dead latents back."""
START_TOKENS = 1024
"""Tokens of the sample on which what depends on the untrained dictionary is set."""


@dataclass(frozen=True, eq=False)
class TopK(Learner):
    """The k largest latents of each token.

    Attributes:
        weights: Encoder and decoder.
        idle: When each latent last fired.
        k: How many are kept.
    """

    idle: Idle
    k: int

    @property
    def settings(self) -> Mapping[str, Any]:
        """K."""
        return {"k": self.k}

    @property
    def kept(self) -> Mapping[str, Tensor]:
        """When each latent last fired."""
        return {"idle": self.idle.tokens}

    def chosen(self, preactivations: Tensor) -> Pattern:
        """Which latents are kept of ``[tokens, width]``."""
        return top_k(preactivations, self.k)

    def step(self, batch: Activations, moment: Moment) -> Outcome:
        """Squared error, and 1/32 of that of dead latents on what is left."""
        known = self.weights.preactivations(batch.inputs)
        pattern = self.chosen(known)
        latents = picked(self.weights.encoder, batch.inputs, known, pattern).relu()
        loss, residual = self.errors(latents, pattern, batch.targets)
        self.idle.saw(pattern.columns[latents.detach() > 0], len(known))
        dead = self.idle.dead(moment.recipe.dead_after)
        if len(dead):
            loss = loss + AUXILIARY * auxiliary_loss(self.weights, batch.inputs, residual, dead)
        return Outcome(loss, residual, self.active(known, latents.detach(), moment))

    def errors(self, latents: Tensor, pattern: Pattern, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared error ``[]``, and the residual ``[tokens, d_out]`` without gradients."""
        residual = target - decode(latents, pattern, self.weights.w_dec) - self.weights.b_dec
        return residual.square().sum(1).mean(), residual.detach()

    def active(self, known: Tensor, latents: Tensor, moment: Moment) -> float:  # noqa: ARG002
        """Latents active per token."""
        return float(torch.count_nonzero(latents)) / len(known)

    def learnt(self) -> Learnt:
        """The weights and k."""
        return Learnt("topk", "topk", self.weights.named, k=self.k)


@dataclass(frozen=True, eq=False)
class BatchTopK(TopK):
    """The largest latents of a batch, k a token on average; a threshold stands for the choice afterwards.

    Attributes:
        threshold: Running mean of the smallest latent that was kept.
    """

    threshold: RunningThreshold

    @property
    def kept(self) -> Mapping[str, Tensor]:
        """The threshold too."""
        return {**super().kept, "threshold": self.threshold.value}

    def chosen(self, preactivations: Tensor) -> Pattern:
        """Which latents are kept of ``[tokens, width]``."""
        return batch_top_k(preactivations, self.k)

    def active(self, known: Tensor, latents: Tensor, moment: Moment) -> float:
        """Latents above the threshold, per token, which is how the dictionary will be used."""
        self.threshold.saw(latents)
        return counted(known, self.threshold.bound) if moment.logged else float(self.k)

    def learnt(self) -> Learnt:
        """The weights, with the threshold for every latent."""
        width = len(self.weights.b_enc)
        tensors = {**self.weights.named, "threshold": self.threshold.bound.expand(width)}
        return Learnt("batchtopk", "jumprelu", tensors, meta={"k": self.k})


@dataclass(frozen=True, eq=False)
class Matryoshka(BatchTopK):
    """As `BatchTopK`, and every prefix of the groups has to reconstruct by itself.

    Attributes:
        groups: Number of latents of each group, at least 1, ``width`` in all.
    """

    groups: tuple[int, ...]

    @property
    def settings(self) -> Mapping[str, Any]:
        """K and the groups."""
        return {**super().settings, "groups": list(self.groups)}

    def errors(self, latents: Tensor, pattern: Pattern, target: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared error averaged over the prefixes ``[]``, and the residual of the longest."""
        residual, losses, first = target - self.weights.b_dec, [], 0
        for size in self.groups:
            part, which = pattern.between(first, first + size)
            residual = residual - decode(latents[which], part, self.weights.w_dec[first : first + size])
            losses.append(residual.square().sum(1).mean())
            first += size
        return torch.stack(losses).mean(), residual.detach()

    def learnt(self) -> Learnt:
        """As `BatchTopK`, with the groups."""
        made = super().learnt()
        return Learnt("matryoshka", made.activation, made.tensors, groups=self.groups, meta=made.meta)


def start_top_k(sample: Sample, width: int, k: int, generator: torch.Generator) -> TopK:
    """An untrained dictionary, its encoder scaled so that it reconstructs the sample best.

    Raises:
        MethodError: k is more than the width.
    """
    check_kept(k, width)
    weights = random_weights(sample, width, generator)
    x, y = sample.scaled.inputs[:START_TOKENS], sample.scaled.targets[:START_TOKENS]
    found = weights.preactivations(x)
    pattern = top_k(found, k)
    latents = found.flatten()[pattern.places].relu()
    fit_scale(weights, decode(latents, pattern, weights.w_dec) + weights.b_dec, y)
    return TopK(weights, Idle.of(weights), k)


def start_batch_top_k(start: TopK, steps: int) -> BatchTopK:
    """The same dictionary, choosing over a batch."""
    return BatchTopK(start.weights, start.idle, start.k, RunningThreshold.over(steps, start.weights.b_enc.device))


def start_matryoshka(start: BatchTopK, groups: tuple[int, ...]) -> Matryoshka:
    """The same dictionary, in groups."""
    return Matryoshka(start.weights, start.idle, start.k, start.threshold, groups)
