"""A differentiable pass of the model under a real-valued mask, for methods that learn masks.

input_v = base_v + Σ_u M_uv (value now of u − base value of u): a mask of zeros and ones gives the circuit's logits, in
between lies the interpolation that mask learning needs. Under constant ablation that holds for pruned circuits: a node
that nothing feeds is computed here from ablated inputs, where pruning takes it out. Weights stay frozen; gradients flow
to M and, if they carry any, to the base values.

Memory, in numbers of the accumulate type for ``tokens`` = batch · positions after the shared prefix: an edge mask keeps
2 · n_sources · tokens · d_model for the sources and their gradients, and about 3 · n_heads · tokens · d_model a layer
for the streams (Gemma 2: that much for every pair of layers); node and neuron masks keep n_heads · tokens · d_model a
layer. Time: a node or neuron mask costs a plain pass, an edge mask adds n_edges · tokens · d_model multiplications
forward and twice that backward.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mibench.artifacts.circuit import shape_of
from mibench.core.errors import MethodError
from mibench.core.specs import Level
from mibench.engine.base import Sides, Slots, project
from mibench.engine.circuits.soft_streams import EdgeStreams, NodeStreams, PostNormEdgeStreams
from mibench.engine.folded import inverse_norm
from mibench.engine.model import LanguageModel
from mibench.engine.run import Run, at_last


@dataclass(frozen=True)
class SoftMask:
    """How much of each unit's value now is used; the rest is its base value.

    Attributes:
        level: What the units are.
        values: Edge ``[n_sources, n_destinations]`` (pairs that are no edges are ignored), node ``[n_sources]``,
            neuron ``[n_sources, d_model]``; or one such mask an example, with ``[batch]`` in front.
    """

    level: Level
    values: Tensor


def soft_logits(model: LanguageModel, sides: Sides, mask: SoftMask) -> Tensor:
    """Logits at each row's last position, ``[batch, vocab]``, under a mask.

    Args:
        model: The model.
        sides: The batch, from ``base.prepare`` (``lighten`` keeps what is needed of it).
        mask: The mask.

    Raises:
        MethodError: The mask has another shape than the level, the model and the batch ask for.
    """
    return _SoftPass(model, sides, mask).logits()


def lighten(sides: Sides) -> Sides:
    """The part of a prepared batch that a soft pass reads, about a third of it, for keeping."""
    clean = Run(sides.clean.anatomy, sides.clean.embedded, sides.clean.last, logits=sides.clean.logits)
    return replace(sides, clean=clean, base=replace(sides.base, slots=[]))


class _SoftPass:
    """The state of one pass."""

    def __init__(self, model: LanguageModel, sides: Sides, mask: SoftMask) -> None:
        self._model, self._anatomy = model, model.anatomy
        self._sides, self._base = sides, sides.base
        self._size, self._n_pos, _ = sides.base.embedded.shape
        self._heads = [torch.arange(model.anatomy.n_heads, device=place) for place in model.places]
        self._streams = _open(model, sides, mask)

    def logits(self) -> Tensor:
        self._streams.push(self._change(self._sides.clean.embedded, self._base.embedded).flatten(0, 1)[None])
        for layer in range(self._anatomy.n_layers):
            self._attend(layer)
            self._feed_forward(layer)
        change = self._streams.read_logits().view(self._size, self._n_pos, -1)
        final = at_last(self._base.final.to(change) + change, self._base.last)
        return self._anatomy.logits(self._anatomy.final_norm(final.to(self._model.dtype))).to(change.device)

    def _change(self, value: Tensor, base: Tensor) -> Tensor:
        """The difference, in the type of sums."""
        return value.to(self._model.accumulate) - base.to(self._model.accumulate)

    def _attend(self, layer: int) -> None:
        prefix = self._sides.prefix
        earlier = None if prefix is None else (prefix.keys[layer], prefix.values[layer])
        heads, context = self._heads[layer], self._sides.context[layer]
        outputs = self._model.cores[layer](self._slots(layer), heads, context, earlier)
        change = self._change(outputs, self._base.heads[layer]).flatten(0, 1).transpose(0, 1)
        self._streams.push_heads(layer, torch.bmm(change, self._model.out_weights[layer]))

    def _slots(self, layer: int) -> Slots:
        """q, k and v of every head, ``[batch, pos, n_heads, head_dim]`` each."""
        base = self._base.before_attn[layer].flatten(0, 1)
        stream = self._streams.read_heads(layer).to(base.device) + base
        if stream.ndim == 2:
            q, k, v = project(self._model, layer, stream.view(self._size, self._n_pos, -1))
            shared = self._heads[layer] // self._anatomy.kv_group
            return q, k[:, :, shared], v[:, :, shared]
        folded = self._model.folded[layer]
        rows = folded.index.flatten()
        projected = torch.bmm(stream, folded.weight[rows].transpose(1, 2))
        projected = projected * inverse_norm(stream, folded.norm)[..., None] + folded.bias[rows][:, None]
        split = projected.to(self._model.dtype).view(3, self._anatomy.n_heads, self._size, self._n_pos, -1)
        q, k, v = split.permute(0, 2, 3, 1, 4)
        return q, k, v

    def _feed_forward(self, layer: int) -> None:
        base = self._base.before_mlp[layer].flatten(0, 1)
        stream = self._streams.read_mlp(layer).to(base.device) + base
        output = self._anatomy.run_mlp(layer, stream[None].to(self._model.dtype))
        self._streams.push(self._change(output, self._base.mlp[layer].flatten(0, 1)[None]))


def _open(model: LanguageModel, sides: Sides, mask: SoftMask) -> EdgeStreams | NodeStreams:
    """The kind of streams that the mask and the model need."""
    shape = shape_of(model.graph, mask.level, model.anatomy.d_model)
    found = tuple(mask.values.shape)
    if found not in {shape, (len(sides.base.embedded), *shape)}:
        raise MethodError(
            f"A {mask.level} mask of shape {list(found)} does not fit.",
            why=f"This model needs {list(shape)}, or that for each of {len(sides.base.embedded)} examples.",
            do="Give one number a unit.",
        )
    values = mask.values.to(device=model.device, dtype=model.accumulate)
    if mask.level is not Level.EDGE:
        return NodeStreams(model, sides.base, values[..., None] if mask.level is Level.NODE else values)
    return (PostNormEdgeStreams if model.anatomy.layout.post_attn else EdgeStreams)(model, sides.base, values)
