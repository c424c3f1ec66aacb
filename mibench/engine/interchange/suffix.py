"""The rest of the network, from where interventions change it, for many interventions at once.

Runs go through the layers together; each joins at the layer of its first edit, with the stream of the plain run.
Tokens before the first edited one are those of the plain run: of them only keys and values are needed.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from mibench.engine.attention import Context, unhooked
from mibench.engine.interchange.edits import Editor, Stack
from mibench.engine.interchange.reading import Place, Stage
from mibench.engine.interchange.tape import KeysValues
from mibench.engine.interchange.windows import Windows
from mibench.engine.model import LanguageModel
from mibench.models.anatomy import Anatomy

FOLD = 32
"""Copies are folded while scores between them cost less than copying keys and values of the prefix would.

The former grow with copies · size², the latter with the prefix. On SmolLM2 with prompts of 20 and 96 tokens this was
as fast as always folding, and 5 to 25 % faster than never.
"""


class Suffix:
    """Runs stacks of interventions.

    Args:
        model: The model.
        editor: Makes the edits.
    """

    def __init__(self, model: LanguageModel, editor: Editor) -> None:
        self._model, self._anatomy, self._editor = model, model.anatomy, editor
        self._attention = [OpenAttention(model.anatomy, layer) for layer in range(model.anatomy.n_layers)]

    def run(self, stack: Stack, kept: list[KeysValues] | None = None) -> Tensor:
        """The stream that the logits read at the answers, ``[rows, plans, answers, d_model]``.

        Args:
            stack: What to run.
            kept: Gets keys and values of each layer, ``[rows · plans, n_kv_heads, pos, head_dim]``.
        """
        n_layers = self._anatomy.n_layers
        pass_ = _Pass(stack, n_layers, keep=kept is not None)
        stream = stack.tape.streams[stack.plans[0].join].new_empty(0)
        for layer in range(0 if kept is not None else stack.plans[0].join, n_layers + 1):
            # Beyond the last layer is the final norm, which fetches its inputs.
            stream = pass_.joined(stream.to(self._model.places[min(layer, n_layers - 1)]), layer)
            if stream.numel():
                stream = self._editor.apply(stream, stack, Place(layer, Stage.STREAM))
                stream = self._block(layer, stream, pass_) if layer < n_layers else stream
            if kept is not None and layer < n_layers:
                kept.append(pass_.whole(layer))
        return _pick(stream, stack.wanted) if stack.late else stream

    def _block(self, layer: int, stream: Tensor, pass_: _Pass) -> Tensor:
        block, stack = self._anatomy.blocks[layer], pass_.stack
        heads = self._attend(layer, block.norm1(stream), pass_)
        heads = self._editor.apply(heads, stack, Place(layer, Stage.HEADS))
        if layer == self._anatomy.n_layers - 1 and not stack.late:
            stream, heads = _pick(stream, stack.wanted), _pick(heads, stack.wanted)
        attn = block.out(heads)
        middle = stream + (attn if block.post_attn is None else block.post_attn(attn))
        added = self._anatomy.run_mlp(layer, stream if self._anatomy.parallel else middle)
        after: Tensor = middle + self._editor.apply(added, stack, Place(layer, Stage.MLP))
        return after

    def _attend(self, layer: int, normed: Tensor, pass_: _Pass) -> Tensor:
        rows, copies, size, width = normed.shape
        shape = (rows, copies * size, width) if pass_.folded else (rows * copies, size, width)
        cache = pass_.cache(layer, copies)
        context = pass_.windows.context(layer, copies, normed.device)
        heads = self._attention[layer](normed.reshape(shape), context, cache)
        return heads.view(rows, copies, size, heads.shape[-1])


class OpenAttention:
    """The attention of one layer up to its output projection."""

    def __init__(self, anatomy: Anatomy, layer: int) -> None:
        attn = anatomy.blocks[layer].attn
        self._core = unhooked(attn)
        setattr(self._core, anatomy.layout.out, nn.Identity())
        self._cache = anatomy.layout.cache

    def __call__(self, normed: Tensor, context: Context, cache: Feed | None) -> Tensor:
        """Outputs of all heads, ``[batch, pos, n_heads · head_dim]``, from what the norm before attention gives."""
        arguments: dict[str, Any] = context.arguments()
        if cache is not None:
            arguments[self._cache] = cache
        return cast("Tensor", self._core(normed, **arguments)[0])


class Feed:
    """The one method of a cache that attention calls: it puts a prefix before new keys and values.

    Attributes:
        whole: Both together, after the call.
    """

    def __init__(self, prefix: KeysValues | None) -> None:
        self._prefix = prefix
        self.whole: KeysValues | None = None

    def update(self, key: Tensor, value: Tensor, *_: Any, **__: Any) -> KeysValues:
        """Take new keys and values, ``[batch, n_kv_heads, pos, head_dim]``, and return all."""
        new = (key, value)
        if self._prefix is not None:
            new = torch.cat([self._prefix[0], key], dim=-2), torch.cat([self._prefix[1], value], dim=-2)
        self.whole = new
        return new


class _Pass:
    """What one pass of a stack needs besides its streams."""

    def __init__(self, stack: Stack, n_layers: int, *, keep: bool) -> None:
        self.stack, self._n_layers, self._keep = stack, n_layers, keep
        prefix, copies = int(stack.starts.max()), len(stack.plans)
        cheap = (copies - 1) * stack.size**2 <= FOLD * prefix
        self.folded = copies > 1 and prefix > 0 and cheap and not keep
        contexts = stack.tape.context(int(stack.tape.lengths[stack.rows].max()))
        self.windows = Windows(contexts, stack.starts, stack.size, folded=self.folded)
        self._feed: Feed | None = None

    def joined(self, stream: Tensor, layer: int) -> Tensor:
        """The runs with those that join at a layer, ``[rows, plans, pos, d_model]``."""
        stack = self.stack
        new = sum(plan.join == layer for plan in stack.plans)
        if not new:
            return stream
        narrow = layer == self._n_layers and not stack.late
        base = stack.tape.stream(layer, stack.rows, stack.answers if narrow else stack.window)
        joining = base[:, None].repeat(1, new, 1, 1).to(stream.device)
        return torch.cat([stream, joining], dim=1) if stream.numel() else joining

    def cache(self, layer: int, copies: int) -> Feed | None:
        """Keys and values of the prefixes, for the attention of a layer."""
        prefix = None
        if self.windows.prefix:
            prefix = self.stack.tape.prefix(layer, self.stack.rows, self.windows.prefix)
            if not self.folded and copies > 1:
                prefix = prefix[0].repeat_interleave(copies, 0), prefix[1].repeat_interleave(copies, 0)
        self._feed = Feed(prefix) if prefix is not None or self._keep else None
        return self._feed

    def whole(self, layer: int) -> KeysValues:
        """Keys and values of prompts of equal length after a layer has run; those of the plain run for the others."""
        stack, rows = self.stack, len(self.stack.rows)
        length, n_plans = int(stack.answers[0, 0]) + 1, len(stack.plans)
        plain = [part[:, None] for part in stack.tape.prefix(layer, stack.rows, length)]
        whole = [part.expand(-1, n_plans, -1, -1, -1) for part in plain]
        if self._feed is not None and self._feed.whole is not None:
            joined = [
                part[..., :length, :].view(rows, -1, *part.shape[1:2], length, part.shape[-1])
                for part in self._feed.whole
            ]
            whole = [torch.cat([new, old[:, new.shape[1] :]], dim=1) for new, old in zip(joined, whole, strict=True)]
        return whole[0].flatten(0, 1), whole[1].flatten(0, 1)


def _pick(value: Tensor, wanted: Tensor) -> Tensor:
    """Tokens ``wanted`` ``[rows, answers]`` of ``value`` ``[rows, plans, pos, width]``."""
    index = wanted.to(value.device)[:, None, :, None].expand(-1, value.shape[1], -1, value.shape[-1])
    return value.gather(2, index)
