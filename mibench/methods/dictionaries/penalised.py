"""What dictionaries with a sparsity penalty share: the start, and the price of sparsity."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mibench.methods.dictionaries.controller import Price
from mibench.methods.dictionaries.recipe import check_target
from mibench.methods.dictionaries.sample import Sample
from mibench.methods.dictionaries.selection import above, nth_largest
from mibench.methods.dictionaries.sparse import decode
from mibench.methods.dictionaries.top_k import START_TOKENS
from mibench.methods.dictionaries.weights import Weights, fit_scale, random_weights

_LEAST_BOUND = 0.1
_ABOVE_ONE_SIGMA = 0.1587


@dataclass(frozen=True)
class Sparsity:
    """How sparse a dictionary is to be.

    Attributes:
        l0: Latents active per token that are aimed at.
        coefficient: What sparsity costs; None: what leads to ``l0``.
    """

    l0: float
    coefficient: float | None

    def price(self, start: float, device: torch.device) -> Price:
        """The coefficient: as given, or from ``start`` on to what leads to the target."""
        if self.coefficient is None:
            return Price.at(start, self.l0, device)
        return Price.at(self.coefficient, None, device)


@dataclass(frozen=True)
class Untrained:
    """Where a training with a penalty starts.

    Attributes:
        weights: Random, the encoder scaled so that it reconstructs the sample best.
        bound: Pre-activation that ``l0`` latents of a token are above, in the sample; at least a tenth of ``spread``.
        spread: Standard deviation of pre-activations, by that quantile of a normal distribution: few tokens have
            activations so large that the standard deviation itself would be theirs.
    """

    weights: Weights
    bound: float
    spread: float


def start_penalised(
    sample: Sample, width: int, sparsity: Sparsity, generator: torch.Generator, *, jump: bool
) -> Untrained:
    """Untrained weights, and the size of pre-activations.

    Args:
        sample: Of the training data.
        width: Number of latents.
        sparsity: How sparse.
        generator: Draws.
        jump: Whether only latents above the bound are there, and ``b_dec`` is not subtracted before the encoder.

    Raises:
        MethodError: The target is too large for the width.
    """
    if sparsity.coefficient is None:
        check_target(sparsity.l0, width)
    weights = random_weights(sample, width, generator, pre_bias=not jump)
    x, y = sample.scaled.inputs[:START_TOKENS], sample.scaled.targets[:START_TOKENS]
    found = weights.preactivations(x)
    active = max(1, round(min(sparsity.l0, width / 2) * len(found)))
    spread = nth_largest(found.flatten(), max(1, round(_ABOVE_ONE_SIGMA * found.numel())))
    bound = torch.maximum(nth_largest(found.flatten(), active), _LEAST_BOUND * spread)
    pattern = above(found, bound if jump else 0.0)
    factor = fit_scale(weights, decode(found.flatten()[pattern.places], pattern, weights.w_dec) + weights.b_dec, y)
    return Untrained(weights, factor * float(bound), factor * float(spread))
