"""One pass of a circuit over one batch, as differences from the base run.

A node outside the circuit is never computed, a slot without edges takes its base value, and positions that both
prompts share are not computed at all.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mibench.engine.base import Sides, Slots
from mibench.engine.circuits.schedule import LayerSchedule, schedule
from mibench.engine.circuits.streams import open_streams
from mibench.engine.folded import inverse_norm
from mibench.engine.model import LanguageModel
from mibench.engine.run import at_last
from mibench.graph.circuit import Circuit


def circuit_logits(model: LanguageModel, sides: Sides, circuit: Circuit) -> Tensor:
    """Logits at the last position, ``[batch, vocab]``, of a pruned circuit on a prepared batch."""
    return _CircuitPass(model, sides, circuit).logits()


class _CircuitPass:
    """The state of one pass: the sources that are written so far."""

    def __init__(self, model: LanguageModel, sides: Sides, circuit: Circuit) -> None:
        self._model, self._anatomy = model, model.anatomy
        self._sides, self._base = sides, sides.base
        self._plan = schedule(circuit)
        self._streams = open_streams(model, sides.base, self._plan)
        self._pushed = 0
        self._neurons: Tensor | None = None
        if circuit.neurons is not None:
            kept = torch.from_numpy(circuit.neurons[self._plan.live])
            self._neurons = kept.to(device=model.device, dtype=model.accumulate)

    def logits(self) -> Tensor:
        if len(self._plan.live) and self._plan.live[0] == 0:
            self._push(self._change(self._sides.clean.embedded, self._base.embedded).flatten(0, 1)[None])
        for layer, part in enumerate(self._plan.layers):
            # In parallel blocks the MLP does not read its layer's heads, so it may wait for them everywhere.
            self._heads(layer, part)
            self._mlp(layer, part)
        change = self._streams.read_logits()
        final = at_last(self._base.final, self._base.last).to(change.device) + change
        return self._anatomy.logits(self._anatomy.final_norm(final.to(self._model.dtype))).to(change.device)

    def _change(self, value: Tensor, base: Tensor) -> Tensor:
        """The difference, in the type of sums."""
        return value.to(self._model.accumulate) - base.to(self._model.accumulate)

    def _push(self, differences: Tensor) -> None:
        """Add sources ``[rows, tokens, d_model]``; neurons outside the circuit stay at their base values."""
        room = self._streams.push(len(differences)).copy_(differences)
        self._pushed += len(differences)
        if self._neurons is not None:
            room.mul_(self._neurons[self._pushed - len(differences) : self._pushed, None, :])

    def _heads(self, layer: int, part: LayerSchedule) -> None:
        """Attend with the live heads of a layer and push their differences."""
        if not len(part.heads):
            return
        heads = torch.from_numpy(part.heads).to(self._model.places[layer])
        prefix = self._sides.prefix
        earlier = None if prefix is None else (prefix.keys[layer], prefix.values[layer])
        slots = self._slots(layer, part, heads)
        outputs = self._model.cores[layer](slots, heads, self._sides.context[layer], earlier)
        change = self._change(outputs, self._base.heads[layer][:, :, heads]).flatten(0, 1).transpose(0, 1)
        self._push(torch.bmm(change, self._model.out_weights[layer][heads]))

    def _slots(self, layer: int, part: LayerSchedule, heads: Tensor) -> Slots:
        """q, k and v of the live heads, ``[batch, pos, heads, head_dim]`` each."""
        flat = self._base_slots(layer, heads)
        if len(part.masks):
            folded, read = self._model.folded[layer], part.row_of_slot.ravel()
            stream = self._streams.read_heads(layer).to(flat.device).add_(self._base.before_attn[layer].flatten(0, 1))
            r = inverse_norm(stream, folded.norm)
            # Decided without looking at tensors, so that a device which works on its own need not be waited for.
            live = np.flatnonzero(read >= 0)
            slots, index = (torch.from_numpy(part).to(flat.device) for part in (live, read[live]))
            weights = folded.index[:, heads].flatten()[slots]
            chosen = stream if np.array_equal(read[live], np.arange(len(stream))) else stream[index]
            projected = torch.bmm(chosen, folded.weight[weights].transpose(1, 2))
            flat[slots] = (projected * r[index][..., None] + folded.bias[weights][:, None]).to(flat)
        size, n_pos = self._base.embedded.shape[:2]
        q, k, v = flat.view(3, len(heads), size, n_pos, -1).permute(0, 2, 3, 1, 4)
        return q, k, v

    def _base_slots(self, layer: int, heads: Tensor) -> Tensor:
        """Base values of the heads' slots, ``[3 · heads, tokens, head_dim]``."""
        shared = heads // self._anatomy.kv_group
        slots = zip(self._base.slots[layer], (heads, shared, shared), strict=True)
        return torch.cat([slot.flatten(0, 1)[:, chosen].transpose(0, 1) for slot, chosen in slots])

    def _mlp(self, layer: int, part: LayerSchedule) -> None:
        """Push the difference of a live MLP."""
        if part.mlp is None:
            return
        base = self._base.before_mlp[layer].flatten(0, 1)
        stream = self._streams.read_mlp(layer).to(base.device).add_(base)
        output = self._anatomy.run_mlp(layer, stream[None].to(self._model.dtype))[0]
        self._push(self._change(output, self._base.mlp[layer].flatten(0, 1))[None])
