"""Residual streams of a circuit: which sources each destination reads, summed as differences from the base.

The stream read by a destination is its base stream plus the sum, over the sources it reads inside the circuit, of
(value now − base value). Sources are rows of one buffer on the device of the inputs; destinations are matrix products
with their masks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from mibench.engine.base import Base
from mibench.engine.circuits.post_norm import PostNorm
from mibench.engine.circuits.schedule import Schedule
from mibench.engine.model import LanguageModel
from mibench.engine.run import at_last
from mibench.graph.graph import BoolArray


class LinearStreams:
    """Streams to which every source adds directly.

    Args:
        model: The model.
        base: The ablated values.
        schedule: The circuit's plan.

    Attributes:
        LAYERS_AT_ONCE: Layers whose reads of earlier sources share one matrix product.
    """

    LAYERS_AT_ONCE = 4

    def __init__(self, model: LanguageModel, base: Base, schedule: Schedule) -> None:
        self.batch, self.n_pos, self.d_model = base.embedded.shape
        self.schedule, self.last = schedule, base.last
        shape = (len(schedule.live), self.batch * self.n_pos, self.d_model)
        self.buffer = base.embedded.new_empty(shape, dtype=model.accumulate)
        self.written = 0
        self._group = (-1, 0, self.buffer)

    def push(self, rows: int) -> Tensor:
        """Room for the next ``rows`` sources, ``[rows, tokens, d_model]``, to be filled with value − base value."""
        self.written += rows
        return self.buffer[self.written - rows : self.written]

    def read_heads(self, layer: int) -> Tensor:
        """Differences of the streams read by the layer's distinct masks, ``[masks, tokens, d_model]``; the caller's."""
        start, covered, sums = self._open(layer)
        masks = self.schedule.layers[layer].masks
        return self._add(sums[start : start + len(masks)], masks, covered)

    def read_mlp(self, layer: int) -> Tensor:
        """Difference of the stream read by the layer's live MLP, ``[tokens, d_model]``; the caller's."""
        start, covered, sums = self._open(layer)
        part = self.schedule.layers[layer]
        row = start + len(part.masks)
        return self._add(sums[row : row + 1], _mlp_rows(part.mlp, self.schedule), covered)[0]

    def read_logits(self) -> Tensor:
        """Difference of the stream read by the logits at the last position, ``[batch, d_model]``."""
        rows = self.buffer.view(-1, self.batch, self.n_pos, self.d_model)
        last = rows[:, torch.arange(self.batch, device=rows.device), self.last.to(rows.device)]
        return torch.einsum("s,sbd->bd", _as(self.schedule.logits, self.buffer), last)

    def _add(self, sums: Tensor, masks: BoolArray, covered: int) -> Tensor:
        new = masks[:, covered : self.written]
        if new.any():
            flat = self.buffer[covered : self.written].flatten(1)
            sums.view(len(sums), -1).addmm_(_as(new, self.buffer), flat)
        return sums

    def _open(self, layer: int) -> tuple[int, int, Tensor]:
        """Row where the layer's masks begin, sources already covered, and their sums."""
        first = layer - layer % self.LAYERS_AT_ONCE
        if self._group[0] != first:
            # Sums of the layers before are let go of before new ones are made.
            self._group = (-1, 0, self.buffer)
            self._group = (first, self.written, self._sum(self._masks(first), 0))
        _, covered, sums = self._group
        start = sum(_rows(self.schedule, earlier) for earlier in range(first, layer))
        return start, covered, sums

    def _masks(self, first: int) -> BoolArray:
        layers = self.schedule.layers[first : first + self.LAYERS_AT_ONCE]
        return np.concatenate([part for layer in layers for part in (layer.masks, _mlp_rows(layer.mlp, self.schedule))])

    def _sum(self, masks: BoolArray, first: int) -> Tensor:
        """Sums of the sources from ``first`` on, ``[masks, tokens, d_model]``."""
        flat = self.buffer[first : self.written].flatten(1)
        sums = _as(masks[:, first : self.written], self.buffer) @ flat
        return sums.view(len(masks), *self.buffer.shape[1:])


@dataclass
class _Normed:
    """The heads of a layer that add together through a norm.

    Attributes:
        norm: It.
        attn: What attention gives in the base, ``[tokens, d_model]``.
        rows: Where that and behind it the heads are in the buffer.
        products: Their inner products, ``[tokens, rows, rows]``.
        start: 1 / rms of the base's attention, ``[tokens, 1]``.
    """

    norm: PostNorm
    attn: Tensor
    rows: slice
    products: Tensor = field(default_factory=lambda: torch.empty(0))
    start: Tensor = field(default_factory=lambda: torch.empty(0))

    def settle(self, values: Tensor) -> None:
        """Take inner products of ``values``, ``[rows, tokens, d_model]``, and multiply them by the norm's scale."""
        self.products = self.norm.products(values.transpose(0, 1))
        self.start = self.norm.inverse(self.products, torch.eye(len(values), 1, device=values.device))
        values.copy_(self.norm.scaled(values))

    def weigh(self, weights: Tensor, masks: Tensor, tokens: slice) -> None:
        """Put what sums read of each row, ``[tokens, sums, rows]``, in place of the ``masks``, ``[sums, rows]``."""
        chosen = masks.T.clone()
        chosen[0] = 1
        inverse = self.norm.inverse(self.products[tokens], chosen)
        weights.mul_(inverse.to(weights)[..., None])
        weights[..., 0] = inverse - self.start[tokens]


class PostNormStreams(LinearStreams):
    """Streams to which a layer's heads add together through a norm (Gemma 2).

    A layer's heads have a row of the buffer in front of them, for what attention gives in the base. All of them are
    multiplied by the norm's scale; how much of each is in a sum is a number a token (see ``post_norm``).
    """

    LAYERS_AT_ONCE = 3

    def __init__(self, model: LanguageModel, base: Base, schedule: Schedule) -> None:
        live = [(layer, part) for layer, part in enumerate(schedule.layers) if len(part.heads)]
        super().__init__(model, base, _with_rows_before(schedule, [part.before for _, part in live]))
        self._settled: list[_Normed] = []
        self._to_come = [
            _Normed(
                PostNorm(model, layer),
                base.attn[layer].flatten(0, 1),
                slice(part.before + place, part.before + place + 1 + len(part.heads)),
            )
            for place, (layer, part) in enumerate(live)
        ]

    def push(self, rows: int) -> Tensor:
        """Room for the next ``rows`` sources, ``[rows, tokens, d_model]``, to be filled with value − base value."""
        self._settle()
        if self._to_come and self.written == self._to_come[0].rows.start:
            super().push(1).copy_(self._to_come[0].attn)
        return super().push(rows)

    def read_logits(self) -> Tensor:
        """Difference of the stream read by the logits at the last position, ``[batch, d_model]``."""
        return at_last(self._sum(self.schedule.logits[None], 0)[0].view(self.batch, self.n_pos, -1), self.last)

    def _add(self, sums: Tensor, masks: BoolArray, covered: int) -> Tensor:
        return sums.add_(self._sum(masks, covered)) if masks[:, covered : self.written].any() else sums

    def _sum(self, masks: BoolArray, first: int) -> Tensor:
        self._settle()
        sources = self.buffer[first : self.written].transpose(0, 1)
        chosen = _as(masks[:, first : self.written], self.buffer)
        sums = sources.new_empty(len(sources), len(masks), self.d_model)
        # The weights of so many tokens take no more than an eighth of what the sums take.
        some = max(1, len(sources) * self.d_model // (8 * max(1, sources.shape[1])))
        for start in range(0, len(sources), some):
            tokens = slice(start, start + some)
            torch.bmm(self._weights(chosen, first, tokens), sources[tokens], out=sums[tokens])
        return sums.transpose(0, 1)

    def _settle(self) -> None:
        """Make ready the layer whose heads are all there, if there is one: no more than one, since pushes ask too."""
        if self._to_come and self._to_come[0].rows.stop <= self.written:
            self._to_come[0].settle(self.buffer[self._to_come[0].rows])
            self._settled.append(self._to_come.pop(0))

    def _weights(self, chosen: Tensor, first: int, tokens: slice) -> Tensor:
        """How much of each source is in each sum, ``[tokens, sums, sources]``."""
        n_tokens = len(range(*tokens.indices(self.batch * self.n_pos)))
        weights = chosen.repeat(n_tokens, 1, 1)
        for layer in self._settled:
            if layer.rows.start >= first:
                rows = slice(layer.rows.start - first, layer.rows.stop - first)
                layer.weigh(weights[..., rows], chosen[:, rows], tokens)
        return weights


def open_streams(model: LanguageModel, base: Base, schedule: Schedule) -> LinearStreams:
    """The kind of streams that the model needs."""
    return (PostNormStreams if base.attn and model.anatomy.layout.post_attn else LinearStreams)(model, base, schedule)


def _with_rows_before(schedule: Schedule, places: list[int]) -> Schedule:
    """A schedule with a source more, which no mask reads, in front of the live sources at ``places``."""

    def longer(masks: BoolArray) -> BoolArray:
        return np.insert(masks, places, values=False, axis=-1)

    layers = [
        replace(part, masks=longer(part.masks), mlp=None if part.mlp is None else longer(part.mlp))
        for part in schedule.layers
    ]
    return Schedule(np.insert(schedule.live, places, -1), layers, longer(schedule.logits))


def _rows(schedule: Schedule, layer: int) -> int:
    return len(schedule.layers[layer].masks) + (schedule.layers[layer].mlp is not None)


def _mlp_rows(mask: BoolArray | None, schedule: Schedule) -> BoolArray:
    return np.zeros((0, len(schedule.live)), dtype=np.bool_) if mask is None else mask[None]


def _as(mask: BoolArray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask)).to(device=like.device, dtype=like.dtype)
