"""Masks and rotary angles of tokens that follow each row's own prefix.

They are cut out of those that the model made for whole prompts. A row's prefix is as long as its intervention lets it
be; shorter ones are filled up and the filling is hidden. Several interventions on a row stand beside each other as
copies, or one behind the other (folded): then the prefix is there once, and a copy's tokens see it and themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mibench.engine.attention import Context

_Key = tuple[int, int, torch.device]


class Windows:
    """Contexts for windows of ``size`` tokens.

    Args:
        contexts: Of each layer, for whole prompts.
        starts: First token of each row's window, ``[rows]``.
        size: Tokens of a window.
        folded: Copies stand one behind the other.

    Attributes:
        prefix: Length of the longest prefix.
    """

    def __init__(self, contexts: Sequence[Context], starts: Tensor, size: int, *, folded: bool) -> None:
        self._contexts, self._folded = contexts, folded
        self.prefix = int(starts.max())
        # One row stands for all where they are alike.
        self._starts = starts[:1, None] if bool((starts == starts[0]).all()) else starts[:, None]
        self._steps = torch.arange(size, device=starts.device)
        self._masks: dict[_Key, Tensor | None] = {}
        self._angles: dict[_Key, tuple[Tensor, Tensor]] = {}

    def context(self, layer: int, copies: int, place: torch.device) -> Context:
        """The context of a layer on ``place`` when every row has so many copies, ``copies`` fastest."""
        known = self._contexts[layer]
        key = (id(known.mask), copies, place)
        if key not in self._masks:
            made = self._mask(None if known.mask is None else known.mask.to(self._starts.device), copies)
            self._masks[key] = None if made is None else made.to(place)
        return Context(self._masks[key], None if known.rotary is None else self._rotary(known.rotary, copies, place))

    def _rotary(self, rotary: tuple[Tensor, Tensor], copies: int, place: torch.device) -> tuple[Tensor, Tensor]:
        key = (id(rotary[0]), copies, place)
        if key not in self._angles:
            at = self._positions(rotary[0].shape[1])
            cosines, sines = (self._copied(part[0].to(at.device)[at], copies).to(place) for part in rotary)
            self._angles[key] = cosines, sines
        return self._angles[key]

    def _positions(self, length: int) -> Tensor:
        return (self._starts + self._steps).clamp(max=length - 1)

    def _copied(self, part: Tensor, copies: int) -> Tensor:
        if self._folded:
            return part.repeat(1, copies, 1)
        return part if len(part) == 1 else part.repeat_interleave(copies, 0)

    def _mask(self, whole: Tensor | None, copies: int) -> Tensor | None:
        if whole is None and self.prefix == 0:
            return None
        before, own = self._cut(whole)
        hidden = _hidden(own)
        before = before.masked_fill(torch.arange(self.prefix, device=own.device) >= self._starts[..., None], hidden)
        own = own.masked_fill(self._steps > self._steps[:, None], hidden)
        if self._folded:
            own = _block_diagonal(own, copies)
        else:
            own = self._copied(own, copies)
        return torch.cat([self._copied(before, copies), own], dim=-1)[:, None]

    def _cut(self, whole: Tensor | None) -> tuple[Tensor, Tensor]:
        """What windows see of the prefix, ``[rows, size, prefix]``, and of themselves, ``[rows, size, size]``."""
        if whole is None:
            size = len(self._steps)
            seen = self._steps.new_ones(len(self._starts), size, self.prefix + size, dtype=torch.bool)
            return seen[..., : self.prefix], seen[..., self.prefix :]
        at = self._positions(whole.shape[-1])
        square = whole[0, 0]
        return square[at][..., : self.prefix], square[at[:, :, None], at[:, None, :]]


def _hidden(mask: Tensor) -> float:
    return 0 if mask.dtype == torch.bool else torch.finfo(mask.dtype).min


def _block_diagonal(own: Tensor, copies: int) -> Tensor:
    rows, size = own.shape[:2]
    made = own.new_full((rows, copies, size, copies, size), _hidden(own))
    each = torch.arange(copies, device=own.device)
    made[:, each, :, each] = own
    return made.view(rows, copies * size, copies * size)
