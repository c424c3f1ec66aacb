"""Which pre-activations become latents."""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.methods.dictionaries.patterns import Pattern

_STRIDE = 61
_MARGIN = 1.1


def top_k(preactivations: Tensor, k: int) -> Pattern:
    """The k largest of each token ``[tokens, width]``."""
    return Pattern.each(preactivations.topk(k, dim=1, sorted=False).indices, preactivations.shape[1])


def batch_top_k(preactivations: Tensor, k: int) -> Pattern:
    """The ``tokens · k`` largest of a batch that are above 0; equals of the smallest of them are all among them."""
    smallest = nth_largest(preactivations.flatten(), len(preactivations) * k)
    return Pattern.where((preactivations >= smallest) & (preactivations > 0))


def nth_largest(values: Tensor, n: int) -> Tensor:
    """The n-th largest of ``values [m]``, from 1.

    A lower bound from every 61st value leaves few to sort; if it was too high, all are sorted.
    """
    some = values[::_STRIDE]
    few = min(len(some), int(_MARGIN * n / _STRIDE) + _STRIDE)
    left = values[values >= some.kthvalue(len(some) - few + 1).values]
    if len(left) < n:
        left = values
    return left.kthvalue(len(left) - n + 1).values


def above(preactivations: Tensor, bound: Tensor | float) -> Pattern:
    """Those above a bound, a number or one a latent ``[width]``."""
    return Pattern.where(preactivations > bound)


def counted(preactivations: Tensor, bound: Tensor) -> float:
    """How many a token are above a bound, on average."""
    return float(torch.count_nonzero(preactivations > bound)) / len(preactivations)
