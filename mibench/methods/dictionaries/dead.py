"""Latents that no longer fire: how they are noticed, and the loss that brings them back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from mibench.methods.dictionaries.selection import top_k
from mibench.methods.dictionaries.sparse import decode
from mibench.methods.dictionaries.weights import Weights


@dataclass(frozen=True, eq=False)
class Idle:
    """Tokens since each latent last fired.

    Attributes:
        tokens: ``[width]``, int64.
    """

    tokens: Tensor

    @classmethod
    def of(cls, weights: Weights) -> Idle:
        """All have just fired."""
        return cls(torch.zeros(len(weights.w_dec), dtype=torch.int64, device=weights.w_dec.device))

    def saw(self, fired: Tensor, tokens: int) -> None:
        """Take note of a batch: latents that fired in it (with repeats), and its tokens."""
        self.tokens.add_(tokens)
        self.tokens[fired] = 0

    def dead(self, after: int) -> Tensor:
        """Latents that have not fired for ``after`` tokens, by index."""
        return (self.tokens >= after).nonzero().flatten()


def auxiliary_loss(weights: Weights, x: Tensor, residual: Tensor, dead: Tensor) -> Tensor:
    """How badly dead latents alone reconstruct the residual: mean ‖e − ê‖².

    ê is decoded from the min(d_in / 2, number of dead) dead latents that are largest at each token, without ``b_dec``.

    Args:
        weights: The dictionary.
        x: Activations, ``[tokens, d_in]``.
        residual: What the living have left, ``[tokens, d_out]``, without gradients.
        dead: Indices of dead latents, at least one.
    """
    rows, decoder = weights.w_enc[dead], weights.w_dec[dead]
    bias = weights.b_enc[dead]
    if weights.pre_bias:
        bias = bias - rows @ weights.b_dec.detach()
    found = linear(x, rows, bias)
    pattern = top_k(found.detach(), max(1, min(x.shape[1] // 2, len(dead))))
    values = found.flatten()[pattern.places].relu()
    return (residual - decode(values, pattern, decoder)).square().sum(1).mean()
