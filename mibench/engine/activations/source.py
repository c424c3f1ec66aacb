"""Where methods get activations from: a store, the running model, or a generator of synthetic data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class Activations:
    """A batch of activations.

    Attributes:
        inputs: What a dictionary reads, ``[tokens, d_in]``.
        targets: What it reconstructs, ``[tokens, d_out]``; the same tensor where it reconstructs what it reads.
    """

    inputs: Tensor
    targets: Tensor


class ActivationSource(Protocol):
    """Activations of a training corpus, those of left-out tokens (BOS) not among them."""

    @property
    def n_tokens(self) -> int:
        """Activations of one epoch."""
        ...

    @property
    def d_in(self) -> int:
        """Entries of what a dictionary reads."""
        ...

    @property
    def d_out(self) -> int:
        """Entries of what it reconstructs."""
        ...

    @property
    def digest(self) -> str:
        """sha256 of what fixes the activations."""
        ...

    def batches(self, size: int, seed: int, *, skip: int = 0) -> Iterator[Activations]:
        """Yield batches of ``size`` tokens without end, a new shuffle each epoch, fixed by ``size`` and ``seed``.

        Args:
            size: Tokens a batch; an incomplete one at the end of an epoch is left out.
            seed: Of the shuffles.
            skip: Batches to leave out at the start, as cheaply as possible, so that training goes on where it stopped.
        """
        ...
