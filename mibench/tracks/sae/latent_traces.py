"""Where a sample of a dictionary's latents is active in a text, token by token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.engine.dictionaries.coder import Coder

MAX_ENTRIES = 2**24
"""Activations of a dictionary that are kept, about: of one that is hardly sparse, fewer latents are drawn."""
MAX_LATENTS = 2**26
"""Latents of all tokens that exist at a time."""


@dataclass(frozen=True)
class Sampling:
    """Which latents are looked at.

    Attributes:
        latents: How many, at most.
        min_active: Tokens of the fitted half on which one must be active to be live.
        seed: Of the draw.
    """

    latents: int
    min_active: int
    seed: int

    def draw(self, active: NDArray[np.int64], share: float) -> NDArray[np.int64]:
        """Return some live latents, ascending.

        Args:
            active: Tokens of the fitted half on which each latent is active, ``[d_sae]``.
            share: Share of all tokens that the fitted half has.
        """
        order = np.random.default_rng([self.seed, 0]).permutation(len(active))
        live = order[active[order] >= max(1, self.min_active)][: self.latents]
        entries = active[live].cumsum() / max(share, 1e-9)
        return np.sort(live[: max(1, int(np.searchsorted(entries, MAX_ENTRIES, side="right")))])


@dataclass(frozen=True, eq=False)
class LatentTraces:
    """Activations of a sample of latents where they are not 0.

    Attributes:
        fit_active: Tokens of the fitted half on which each latent is active, int64 ``[d_sae]``.
        latents: The latents of the sample, ascending, ``[sample]``.
        token: At which scored token, counted over the whole text, int32 ``[entries]``.
        column: Of which latent of the sample, int32 ``[entries]``.
        value: How much, float64 ``[entries]``.
    """

    fit_active: NDArray[np.int64]
    latents: NDArray[np.int64]
    token: NDArray[np.int32]
    column: NDArray[np.int32]
    value: NDArray[np.float64]

    @cached_property
    def _ordered(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = np.argsort(self.column, kind="stable")
        return order, np.searchsorted(self.column[order], np.arange(len(self.latents) + 1))

    def of(self, column: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Tokens where a latent of the sample is active, ascending, and its activations there."""
        order, starts = self._ordered
        here = order[starts[column] : starts[column + 1]]
        return self.token[here].astype(np.int64), self.value[here]


class TraceReader:
    """Collects the traces of one dictionary.

    Args:
        coder: The dictionary.
    """

    def __init__(self, coder: Coder) -> None:
        self._coder = coder
        self._active = torch.zeros(coder.d_sae, dtype=torch.int64, device=coder.decoder.device)
        self._latents = np.zeros(0, np.int64)
        self._tokens: list[NDArray[np.int32]] = []
        self._columns: list[NDArray[np.int32]] = []
        self._values: list[NDArray[np.float64]] = []

    def count(self, inputs: Tensor) -> None:
        """Count on which activations ``[tokens, d_in]`` of the fitted half each latent is active."""
        for _, latents in self._parts(inputs):
            self._active += (latents != 0).sum(0)

    def choose(self, sampling: Sampling, share: float) -> None:
        """Draw the sample; the fitted half, ``share`` of all tokens, has been counted."""
        self._latents = sampling.draw(self._active.cpu().numpy(), share)

    def add(self, inputs: Tensor, first: int) -> None:
        """Keep the sample's activations on ``inputs`` ``[tokens, d_in]``; ``first``: number of the first token."""
        wanted = torch.from_numpy(self._latents).to(inputs.device)
        for start, latents in self._parts(inputs):
            kept = latents[:, wanted]
            token, column = kept.nonzero(as_tuple=True)
            self._values.append(kept[token, column].to(torch.float64).cpu().numpy())
            self._tokens.append((token + first + start).to(torch.int32).cpu().numpy())
            self._columns.append(column.to(torch.int32).cpu().numpy())

    def traces(self) -> LatentTraces:
        """What was kept."""
        return LatentTraces(
            self._active.cpu().numpy(),
            self._latents,
            np.concatenate([np.zeros(0, np.int32), *self._tokens]),
            np.concatenate([np.zeros(0, np.int32), *self._columns]),
            np.concatenate([np.zeros(0, np.float64), *self._values]),
        )

    def _parts(self, inputs: Tensor) -> Iterator[tuple[int, Tensor]]:
        size = max(1, MAX_LATENTS // self._coder.d_sae)
        for start in range(0, len(inputs), size):
            yield start, self._coder.encode(inputs[start : start + size])
