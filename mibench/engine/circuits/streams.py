"""Residual streams of a circuit: which sources each destination reads, summed as differences from the base.

The stream read by a destination is its base stream plus the sum, over the sources it reads inside the circuit, of
(value now − base value). Sources are rows of one buffer on the device of the inputs; destinations are matrix products
with their masks.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mibench.engine.base import Base
from mibench.engine.circuits.schedule import Schedule
from mibench.engine.model import LanguageModel
from mibench.engine.run import at_last
from mibench.graph.graph import BoolArray

LAYERS_AT_ONCE = 4
"""Layers whose reads of earlier sources share one matrix product."""


class LinearStreams:
    """Streams to which every source adds directly.

    Args:
        model: The model.
        base: The ablated values.
        schedule: The circuit's plan.
    """

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

    def read_mlp(self, layer: int, mask: BoolArray) -> Tensor:
        """Difference of the stream read by the layer's MLP, ``[tokens, d_model]``; the caller's."""
        start, covered, sums = self._open(layer)
        row = start + len(self.schedule.layers[layer].masks)
        return self._add(sums[row : row + 1], mask[None], covered)[0]

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
        first = layer - layer % LAYERS_AT_ONCE
        if self._group[0] != first:
            # Sums of the layers before are let go of before new ones are made.
            self._group = (-1, 0, self.buffer)
            self._group = (first, self.written, self._sum_before(first))
        _, covered, sums = self._group
        start = sum(_rows(self.schedule, earlier) for earlier in range(first, layer))
        return start, covered, sums

    def _sum_before(self, first: int) -> Tensor:
        layers = self.schedule.layers[first : first + LAYERS_AT_ONCE]
        masks = np.concatenate(
            [part for layer in layers for part in (layer.masks, _mlp_rows(layer.mlp, self.schedule))]
        )
        flat = self.buffer[: self.written].flatten(1)
        sums = _as(masks[:, : self.written], self.buffer) @ flat
        return sums.view(len(masks), *self.buffer.shape[1:])


class PostNormStreams(LinearStreams):
    """Streams to which a layer's heads add together through a norm (Gemma 2).

    A destination that reads some heads of a layer gets norm(base attention + their differences) − norm(base
    attention), so every pair of a mask and an earlier layer is normed by itself.
    """

    def __init__(self, model: LanguageModel, base: Base, schedule: Schedule) -> None:
        super().__init__(model, base, schedule)
        graph = model.graph
        layer_of = (schedule.live - 1) // (graph.n_heads + 1)
        head = (schedule.live > 0) & ((schedule.live - 1) % (graph.n_heads + 1) < graph.n_heads)
        self._plain = ~head
        self._layers = [np.flatnonzero(head & (layer_of == layer)) for layer in range(graph.n_layers)]
        self._norms = [block.post_attn for block in model.anatomy.blocks]
        self._attn = [part.flatten(0, 1).to(model.device, model.accumulate) for part in base.attn]

    def read_heads(self, layer: int) -> Tensor:
        """Differences of the streams read by the layer's distinct masks, ``[masks, tokens, d_model]``."""
        return self._mix(self.schedule.layers[layer].masks)

    def read_mlp(self, layer: int, mask: BoolArray) -> Tensor:  # noqa: ARG002
        """Difference of the stream read by the layer's MLP, ``[tokens, d_model]``."""
        return self._mix(mask[None])[0]

    def read_logits(self) -> Tensor:
        """Difference of the stream read by the logits at the last position, ``[batch, d_model]``."""
        return at_last(self._mix(self.schedule.logits[None])[0].view(self.batch, self.n_pos, -1), self.last)

    def _mix(self, masks: BoolArray) -> Tensor:
        written = np.arange(masks.shape[1]) < self.written
        out = self._product(masks, self._plain & written)
        for rows, norm, attn in zip(self._layers, self._norms, self._attn, strict=True):
            present = rows[rows < self.written]
            used = masks[:, present].any(axis=1)
            if used.any() and norm is not None:
                chosen = np.zeros(masks.shape[1], dtype=np.bool_)
                chosen[present] = True
                changed = norm(attn + self._product(masks[used], chosen)) - norm(attn)
                out[torch.from_numpy(np.flatnonzero(used)).to(out.device)] += changed.to(out.device)
        return out

    def _product(self, masks: BoolArray, chosen: BoolArray) -> Tensor:
        places = torch.from_numpy(np.flatnonzero(chosen)).to(self.buffer.device)
        product = _as(masks[:, chosen], self.buffer) @ self.buffer[places].flatten(1)
        return product.view(len(masks), *self.buffer.shape[1:])


def open_streams(model: LanguageModel, base: Base, schedule: Schedule) -> LinearStreams:
    """The kind of streams that the model needs."""
    return (PostNormStreams if base.attn and model.anatomy.layout.post_attn else LinearStreams)(model, base, schedule)


def _rows(schedule: Schedule, layer: int) -> int:
    return len(schedule.layers[layer].masks) + (schedule.layers[layer].mlp is not None)


def _mlp_rows(mask: BoolArray | None, schedule: Schedule) -> BoolArray:
    return np.zeros((0, len(schedule.live)), dtype=np.bool_) if mask is None else mask[None]


def _as(mask: BoolArray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask)).to(device=like.device, dtype=like.dtype)
