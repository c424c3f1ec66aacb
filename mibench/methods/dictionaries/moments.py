"""Means and covariances over one epoch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.core.errors import MethodError
from mibench.methods.dictionary_view import DictionaryView

_BATCH = 2048
_ORDER = 0
"""Seed of the order in which tokens are read; the same for all, so that nothing depends on the cell's."""


@dataclass(frozen=True, eq=False)
class Moments:
    """In float64, about the mean.

    Attributes:
        tokens: How many were seen.
        inputs: Mean of what is read, ``[d_in]``.
        targets: Mean of what is reconstructed, ``[d_out]``.
        covariance: Of what is read, ``[d_in, d_in]``; empty where it was not asked for.
        cross: With what is reconstructed, ``[d_in, d_out]``; likewise.
        spread: Mean squared distance of the targets from their mean.
    """

    tokens: int
    inputs: Tensor
    targets: Tensor
    covariance: Tensor
    cross: Tensor
    spread: float


def moments_of(view: DictionaryView, *, second: bool) -> Moments:
    """Moments of the training data, each token once; at most 2,047 are left out.

    Args:
        view: The view.
        second: Whether covariances are wanted.

    Raises:
        MethodError: There are no data.
    """
    source, size = view.source, min(_BATCH, view.source.n_tokens)
    if not size:
        raise MethodError("There are no activations.", why="The text is empty.", do="Choose another corpus.")
    steps = source.n_tokens // size
    origin: tuple[Tensor, Tensor] | None = None
    sums: list[Tensor] = []
    for step, batch in zip(range(steps), source.batches(size, _ORDER), strict=False):
        x, y = batch.inputs.to(view.device).double(), batch.targets.to(view.device).double()
        if origin is None:
            origin = x.mean(0), y.mean(0)
        found = _sums(x - origin[0], y - origin[1], second=second)
        sums = [old + new for old, new in zip(sums, found, strict=True)] if sums else found
        view.progress(step + 1, steps)
    if origin is None:
        raise MethodError("There are no activations.", why="The source gave none.", do="Choose another corpus.")
    return _about_the_mean(sums, origin, steps * size)


def _sums(x: Tensor, y: Tensor, *, second: bool) -> list[Tensor]:
    empty = x.new_zeros(0, 0)
    return [x.sum(0), y.sum(0), y.square().sum(), x.T @ x if second else empty, x.T @ y if second else empty]


def _about_the_mean(sums: list[Tensor], origin: tuple[Tensor, Tensor], tokens: int) -> Moments:
    """From sums about an origin near the mean, so that little is lost to cancellation."""
    x, y, square, covariance, cross = (one / tokens for one in sums)
    if covariance.numel():
        covariance, cross = covariance - torch.outer(x, x), cross - torch.outer(x, y)
    spread = float(square - y.square().sum())
    return Moments(tokens, origin[0] + x, origin[1] + y, covariance, cross, spread)
