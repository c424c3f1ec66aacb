"""The rest of the model after an activation was replaced: only what depends on it is computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.activations.capture import Found
from mibench.engine.attention import Context
from mibench.engine.model import LanguageModel

_NEEDED: dict[HookKind, tuple[HookKind, ...]] = {
    HookKind.ATTN_OUT: (HookKind.RESIDUAL_PRE,),
    HookKind.HEADS: (HookKind.RESIDUAL_PRE,),
    HookKind.MLP_IN: (HookKind.RESIDUAL_PRE, HookKind.ATTN_OUT),
    HookKind.MLP_NORMALISED: (HookKind.RESIDUAL_PRE, HookKind.ATTN_OUT),
    HookKind.MLP_OUT: (HookKind.RESIDUAL_PRE, HookKind.ATTN_OUT),
}
"""What else of the clean run a replacement is joined with."""


class Tail:
    """Runs the model on from a replaced activation.

    Args:
        model: The model.
        point: What is replaced.
        clean: Activations of the clean run at `needed`, ``[batch, pos, width]``.
        contexts: Mask and rotary angles of each layer in that run.
    """

    def __init__(self, model: LanguageModel, point: HookPoint, clean: Found, contexts: Sequence[Context]) -> None:
        self._model, self._anatomy, self._point = model, model.anatomy, point
        place = model.places[point.layer]
        self._clean = {kind: clean[HookPoint(point.layer, kind)].to(place) for kind in _kinds(model, point)}
        self._contexts = contexts

    def __call__(self, replacement: Tensor) -> Tensor:
        """What the vocabulary matrix reads, ``[batch, pos, d_model]``, after a replacement ``[batch, pos, width]``."""
        kind, layer = self._point.kind, self._point.layer
        replacement = replacement.to(self._model.places[layer])
        stream = replacement if kind is HookKind.RESIDUAL_PRE else self._after(layer, replacement)
        for index in range(layer + (kind is not HookKind.RESIDUAL_PRE), self._anatomy.n_layers):
            stream = self._block(index, stream)
        final: Tensor = self._anatomy.final_norm(stream)
        return final.to(self._model.device)

    def _after(self, layer: int, replacement: Tensor) -> Tensor:
        """The stream after the layer of the replacement."""
        kind, block, clean = self._point.kind, self._anatomy.blocks[layer], self._clean
        if kind is HookKind.RESIDUAL_POST:
            return replacement
        if kind is HookKind.RESIDUAL_MID:
            return replacement + self._anatomy.run_mlp(layer, replacement)
        if kind in {HookKind.ATTN_OUT, HookKind.HEADS}:
            attn = replacement if kind is HookKind.ATTN_OUT else _projected(block.out, block.post_attn, replacement)
            middle = clean[HookKind.RESIDUAL_PRE] + attn
            parallel = self._anatomy.parallel
            return middle + (clean[HookKind.MLP_OUT] if parallel else self._anatomy.run_mlp(layer, middle))
        middle = clean[HookKind.RESIDUAL_PRE] + clean[HookKind.ATTN_OUT]
        return middle + (replacement if kind is HookKind.MLP_OUT else self._mlp(layer, replacement))

    def _mlp(self, layer: int, replacement: Tensor) -> Tensor:
        """What an MLP adds to the stream when it reads a replacement."""
        block = self._anatomy.blocks[layer]
        if self._point.kind is HookKind.MLP_NORMALISED:
            norm = self._anatomy.norm(block.norm2)
            scaled = replacement * norm.scale
            replacement = (scaled if norm.shift is None else scaled + norm.shift).to(replacement.dtype)
        return _projected(block.mlp, None if block.mlp_end is block.mlp else block.mlp_end, replacement)

    def _block(self, layer: int, stream: Tensor) -> Tensor:
        block, stream = self._anatomy.blocks[layer], stream.to(self._model.places[layer])
        attn: Tensor = block.attn(block.norm1(stream), **self._contexts[layer].arguments())[0]
        middle = stream + (attn if block.post_attn is None else block.post_attn(attn))
        return middle + self._anatomy.run_mlp(layer, stream if self._anatomy.parallel else middle)


def _projected(module: nn.Module, norm: nn.Module | None, value: Tensor) -> Tensor:
    output: Tensor = module(value)
    return output if norm is None else norm(output)


def _kinds(model: LanguageModel, point: HookPoint) -> tuple[HookKind, ...]:
    if model.anatomy.parallel and point.kind in {HookKind.ATTN_OUT, HookKind.HEADS}:
        return HookKind.RESIDUAL_PRE, HookKind.MLP_OUT
    return _NEEDED.get(point.kind, ())


def needed(model: LanguageModel, point: HookPoint) -> tuple[HookPoint, ...]:
    """Hook points of the clean run that a `Tail` from ``point`` needs."""
    return tuple(HookPoint(point.layer, kind) for kind in _kinds(model, point))


def share(model: LanguageModel, point: HookPoint) -> float:
    """Share of the layers that a tail from a hook point runs through."""
    n_layers = model.anatomy.n_layers
    rerun = n_layers - point.layer - (point.kind in {HookKind.RESIDUAL_POST, HookKind.MLP_OUT})
    return rerun / n_layers


@contextmanager
def contexts_of(model: LanguageModel, contexts: list[Context]) -> Iterator[None]:
    """While it lasts, a pass of the model appends mask and rotary angles of each layer, in order."""
    with ExitStack() as stack:
        for block in model.anatomy.blocks:
            stack.callback(_before_attention(block.attn, contexts))
        yield


def _before_attention(module: nn.Module, contexts: list[Context]) -> Callable[[], None]:
    def hook(_: nn.Module, __: Any, kwargs: dict[str, Any]) -> None:
        contexts.append(Context(kwargs.get("attention_mask"), kwargs.get("position_embeddings")))

    return module.register_forward_pre_hook(hook, with_kwargs=True).remove
