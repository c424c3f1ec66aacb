"""The plain model from somewhere on, for many altered copies of a batch at once.

An intervention that changes one output leaves everything before it as in the clean run, so only the rest has to be
computed. Altered copies stand beside each other in the batch: row ``i · batch + j`` is copy i of example j.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.engine.attention import Context
from mibench.engine.base import Sides, Slots, project
from mibench.engine.model import LanguageModel
from mibench.engine.run import at_last


class Resume:
    """Runs the rest of the model on copies of a prepared batch.

    Args:
        model: The model.
        sides: The prepared batch; copies differ from its clean run.
    """

    def __init__(self, model: LanguageModel, sides: Sides) -> None:
        self._model, self._anatomy = model, model.anatomy
        self._sides, self._clean = sides, sides.clean
        self._context = [_for_any_batch(context) for context in sides.context]
        self._heads = [torch.arange(model.anatomy.n_heads, device=place) for place in model.places]

    @property
    def n_layers(self) -> int:
        """Layers of the model."""
        return self._anatomy.n_layers

    def stream(self, layer: int) -> Tensor:
        """The clean residual stream before a layer, or after the last one, ``[batch, pos, d_model]``."""
        found = self._clean.before_attn[layer] if layer < self.n_layers else self._clean.final
        return found.detach().to(self._model.accumulate)

    def logits_after(self, layer: int, change: Tensor) -> Tensor:
        """Logits at the last position, ``[copies · batch, vocab]``, after a change of the stream before ``layer``.

        Args:
            layer: Which; the number of layers means the stream that the logits read.
            change: ``[copies, batch, pos, d_model]``.
        """
        stream = self.stream(layer)
        return self._run(layer, (stream + change.to(stream.device)).flatten(0, 1))

    def logits_after_heads(self, layer: int, change: Tensor) -> Tensor:
        """The same after a change of what the heads of a layer add to the stream."""
        if self._anatomy.parallel:
            return self.logits_after(layer + 1, change)
        stream = self._before_mlp(layer, change).flatten(0, 1)
        return self._run(layer + 1, self._add_mlp(layer, stream, stream))

    def mlp_change(self, layer: int, change: Tensor) -> Tensor:
        """What an MLP adds when the stream that it reads changes, minus what it added, ``[copies, batch, pos, d]``."""
        stream = self._before_mlp(layer, change)
        output = self._anatomy.run_mlp(layer, stream.to(self._model.dtype)).to(stream)
        return output - self._clean.mlp[layer].detach().to(stream)

    def _before_mlp(self, layer: int, change: Tensor) -> Tensor:
        read = self._clean.before_mlp[layer].detach().to(self._model.accumulate)
        return read + change.to(read.device)

    def head_changes(self, layer: int, change: Tensor, slots: tuple[int, ...] = (0, 1, 2)) -> list[Tensor]:
        """What heads emit when one of their slots reads a changed stream, minus what they emitted.

        Args:
            layer: Which layer.
            change: Of the stream, ``[copies, batch, pos, d_model]``.
            slots: Which of q (0), k (1) and v (2) reads it, one after another.

        Returns:
            Before the output projection, ``[copies, batch, pos, n_heads, head_dim]`` for each slot.
        """
        copies, stream = len(change), self.stream(layer)
        change = change.to(stream.device)
        clean = self._by_query_head(layer, project(self._model, layer, stream))
        changed = self._by_query_head(layer, project(self._model, layer, (stream + change).flatten(0, 1)))
        emitted = self._attend(layer, clean).to(change)
        found = []
        for slot in slots:
            q, k, v = (
                changed[place] if place == slot else part.repeat(copies, 1, 1, 1) for place, part in enumerate(clean)
            )
            found.append(self._attend(layer, (q, k, v)).to(change).view(copies, *emitted.shape) - emitted)
        return found

    def _by_query_head(self, layer: int, slots: Slots) -> Slots:
        shared = self._heads[layer] // self._anatomy.kv_group
        q, k, v = slots
        if k.shape[2] == len(shared):
            return q, k, v
        return q, k[:, :, shared], v[:, :, shared]

    def _attend(self, layer: int, slots: Slots) -> Tensor:
        prefix, earlier = self._sides.prefix, None
        if prefix is not None:
            copies = len(slots[0]) // len(prefix.keys[layer])
            keys, values = (part[layer].repeat(copies, 1, 1, 1) for part in (prefix.keys, prefix.values))
            earlier = (keys, values)
        return self._model.cores[layer](slots, self._heads[layer], self._context[layer], earlier)

    def _run(self, layer: int, stream: Tensor) -> Tensor:
        """Run the layers from ``layer`` on and the head, from the stream ``[rows, pos, d_model]`` before it."""
        last = self._clean.last.repeat(len(stream) // len(self._clean.last))
        for index in range(layer, self.n_layers):
            stream = self._block(index, stream, last if index == self.n_layers - 1 else None)
        final = at_last(stream, last) if layer == self.n_layers else stream[:, 0]
        return self._anatomy.logits(self._anatomy.final_norm(final.to(self._model.dtype))).to(self._model.device)

    def _block(self, layer: int, stream: Tensor, last: Tensor | None) -> Tensor:
        """One layer; given ``last``, only that position comes out, ``[rows, 1, d_model]``."""
        block, stream = self._anatomy.blocks[layer], stream.to(self._model.places[layer])
        outputs = self._attend(layer, self._by_query_head(layer, project(self._model, layer, stream)))
        if last is not None:
            stream, outputs = at_last(stream, last)[:, None], at_last(outputs, last)[:, None]
        attn = block.out(outputs.flatten(2))
        middle = stream + (attn if block.post_attn is None else block.post_attn(attn))
        return self._add_mlp(layer, middle, stream if self._anatomy.parallel else middle)

    def _add_mlp(self, layer: int, stream: Tensor, read: Tensor) -> Tensor:
        return stream + self._anatomy.run_mlp(layer, read.to(self._model.dtype))


def _for_any_batch(context: Context) -> Context:
    """The context of one row: it is the same for all, since no row is masked by itself."""
    mask = None if context.mask is None else context.mask[:1]
    rotary = None if context.rotary is None else (context.rotary[0][:1], context.rotary[1][:1])
    return Context(mask, rotary)
