"""Prompts of about one length together, padded on the right, and passes counted in parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibench.engine.interchange.options import InterchangeOptions
from mibench.engine.meter import PassCounter
from mibench.tasks.interchange import Ids


def by_length(lengths: Sequence[int], options: InterchangeOptions, *, equal: bool = False) -> list[list[int]]:
    """Batches of prompts in order of length.

    Args:
        lengths: Of the prompts, in tokens.
        options: How many rows and tokens a batch.
        equal: Prompts of a batch have one length.

    Returns:
        Places in ``lengths``.
    """
    found: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        size = len(found[-1]) + 1 if found else 0
        fits = found and size <= options.batch_size and size * lengths[row] <= options.batch_tokens
        if fits and not (equal and lengths[found[-1][0]] != lengths[row]):
            found[-1].append(row)
        else:
            found.append([row])
    return found


def padded(prompts: Sequence[Ids], device: torch.device) -> Tensor:
    """Token ids ``[batch, pos]``, id 0 on the right: causal attention never looks there."""
    longest = max(len(ids) for ids in prompts)
    return torch.tensor([[*ids, *[0] * (longest - len(ids))] for ids in prompts], device=device)


class Shares:
    """Hands on whole passes to a counter; parts of passes are summed until they make one."""

    def __init__(self, counter: PassCounter) -> None:
        self._counter = counter
        self._forward = self._backward = 0.0

    def forward(self, examples: float) -> None:
        """Count forward passes."""
        self._forward += examples
        if self._forward >= 1:
            self._counter.forward(int(self._forward))
            self._forward %= 1

    def backward(self, examples: float) -> None:
        """Count backward passes."""
        self._backward += examples
        if self._backward >= 1:
            self._counter.backward(int(self._backward))
            self._backward %= 1
