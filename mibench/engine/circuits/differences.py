"""What ablation changes in the residual stream that later nodes read, one source at a time and exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.engine.base import Sides
from mibench.engine.model import LanguageModel


class Differences:
    """Differences of the stream when one source is ablated, ``[batch, pos, d_model]`` each.

    Where a norm follows attention (Gemma 2), a head's difference is that of the norm's outputs with and without it.

    They are on the device of the inputs.

    Args:
        model: The model.
        sides: The prepared batch.
    """

    def __init__(self, model: LanguageModel, sides: Sides) -> None:
        self._model, self._clean, self._base = model, sides.clean, sides.base

    def at(self, rows: range) -> Tensor:
        """Differences of sources ``rows``, ``[len(rows), batch, pos, d_model]``."""
        return torch.stack([self._read(row, self.written(row)[None])[0] for row in rows])

    def neurons(self, row: int, neurons: range) -> Tensor:
        """Differences when single neurons of a source are ablated, ``[len(neurons), batch, pos, d_model]``."""
        whole = self.written(row)
        alone = whole.new_zeros(len(neurons), *whole.shape)
        for place, neuron in enumerate(neurons):
            alone[place, ..., neuron] = whole[..., neuron]
        return self._read(row, alone)

    def written(self, row: int) -> Tensor:
        """Ablated minus clean output of a source, before any norm after attention, ``[batch, pos, d_model]``."""
        clean, base = self._clean, self._base
        layer, place = divmod(row - 1, self._model.graph.n_heads + 1)
        if row == 0:
            return self._change(base.embedded, clean.embedded)
        if place == self._model.graph.n_heads:
            return self._change(base.mlp[layer], clean.mlp[layer])
        change = self._change(base.heads[layer][:, :, place], clean.heads_of(layer)[:, :, place])
        return change @ self._model.out_weights[layer][place].to(change.device)

    def written_by_head(self, layer: int, head: int, change: Tensor) -> Tensor:
        """What a change of a head's output ``[copies, batch, pos, head_dim]`` changes in the stream."""
        return self._through_norm(layer, change @ self._model.out_weights[layer][head].to(change.device))

    def _change(self, ablated: Tensor, value: Tensor) -> Tensor:
        home, dtype = self._model.device, self._model.accumulate
        return ablated.to(home, dtype) - value.detach().to(home, dtype)

    def _read(self, row: int, changes: Tensor) -> Tensor:
        layer, place = divmod(row - 1, self._model.graph.n_heads + 1)
        is_head = row > 0 and place < self._model.graph.n_heads
        return self._through_norm(layer, changes) if is_head else changes

    def _through_norm(self, layer: int, changes: Tensor) -> Tensor:
        norm = self._model.anatomy.blocks[layer].post_attn
        if norm is None:
            return changes
        attn = self._clean.attn[layer].detach().to(changes)
        found: Tensor = norm(attn + changes) - norm(attn)
        return found.to(changes.device)
