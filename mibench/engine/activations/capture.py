"""Activations at hook points, read by hooks of torch from the plain model, which stops after the last of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn

from mibench.core.errors import DataError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.model import LanguageModel
from mibench.models.anatomy import Anatomy, Norm

Found = dict[HookPoint, Tensor]
"""Activations ``[batch, pos, width]`` by hook point."""


class _Enough(Exception):  # noqa: N818
    """Everything wanted has been read; the rest of the pass is not needed."""


def width_of(model: LanguageModel, point: HookPoint) -> int:
    """Number of entries of an activation at a hook point.

    Raises:
        DataError: The model has no such point.
    """
    check_point(model, point)
    anatomy = model.anatomy
    return anatomy.n_heads * anatomy.head_dim if point.kind is HookKind.HEADS else anatomy.d_model


def check_point(model: LanguageModel, point: HookPoint) -> None:
    """Refuse a hook point that the model does not have.

    Raises:
        DataError: It has fewer layers, or its attention and MLP read the same stream.
    """
    anatomy = model.anatomy
    if not 0 <= point.layer < anatomy.n_layers:
        raise DataError(
            f"The model has no hook point '{point.name}'.",
            why=f"It has {anatomy.n_layers} layers, 0 to {anatomy.n_layers - 1}.",
            do="Choose one of these layers.",
        )
    if point.kind is HookKind.RESIDUAL_MID and anatomy.parallel:
        raise DataError(
            f"The model has no hook point '{point.name}'.",
            why="Attention and MLP of its blocks read the same stream, so there is nothing between them.",
            do="Choose residual-pre or residual-post.",
        )


def read(
    model: LanguageModel, ids: Tensor, points: Sequence[HookPoint], *, attention_mask: Tensor | None = None
) -> Found:
    """Run the model on tokens up to the deepest hook point, and return what it had at all of them.

    Args:
        model: The model.
        ids: Token ids, ``[batch, pos]``.
        points: Where to read.
        attention_mask: 1 for real tokens and 0 for padding, ``[batch, pos]``; None: all are real.

    Returns:
        Activations ``[batch, pos, width]`` by hook point, in the model's type, without gradients, on the device of the
        inputs.

    Raises:
        DataError: The model has no such point.
    """
    wanted = tuple(dict.fromkeys(points))
    found: Found = {}
    if not wanted:
        return found
    with torch.no_grad(), suppress(_Enough), recording(model, wanted, found, stop=True):
        model.hf.base_model(input_ids=ids.to(model.device), attention_mask=attention_mask, use_cache=False)
    return {point: value.to(model.device) for point, value in found.items()}


@contextmanager
def recording(model: LanguageModel, points: Sequence[HookPoint], found: Found, *, stop: bool = False) -> Iterator[None]:
    """While it lasts, a pass of the model writes its activations at ``points`` into ``found``.

    Args:
        model: The model.
        points: Where to read, each once.
        found: Filled by the pass.
        stop: End the pass as soon as all are read, by an exception of this module that `read` catches.

    Raises:
        DataError: The model has no such point.
    """
    for point in points:
        check_point(model, point)
    with ExitStack() as stack:
        for point in points:
            stack.callback(_hook(model.anatomy, point, _writer(point, found, len(points) if stop else None)))
        yield


def _writer(point: HookPoint, found: Found, enough: int | None) -> Callable[[Tensor], None]:
    def write(value: Tensor) -> None:
        found[point] = value
        if len(found) == enough:
            raise _Enough

    return write


def _hook(anatomy: Anatomy, point: HookPoint, write: Callable[[Tensor], None]) -> Callable[[], None]:
    """Register a hook; calling what comes back removes it."""
    block, kind = anatomy.blocks[point.layer], point.kind
    if kind is HookKind.MLP_NORMALISED:
        norm = anatomy.norm(block.norm2)
        return _before(block.norm2, lambda stream: write(normalise(norm, stream)))
    before = {
        HookKind.RESIDUAL_PRE: block.norm1,
        HookKind.RESIDUAL_MID: block.norm2,
        HookKind.RESIDUAL_POST: _next_norm(anatomy, point.layer),
        HookKind.HEADS: block.out,
    }
    after = {
        HookKind.ATTN_OUT: block.post_attn or block.out,
        HookKind.MLP_IN: block.norm2,
        HookKind.MLP_OUT: block.mlp_end,
    }
    return _before(before[kind], write) if kind in before else _after(after[kind], write)


def _next_norm(anatomy: Anatomy, layer: int) -> nn.Module:
    """The module that reads the stream after a layer first."""
    return anatomy.final_norm if layer + 1 == anatomy.n_layers else anatomy.blocks[layer + 1].norm1


def normalise(norm: Norm, stream: Tensor) -> Tensor:
    """What a norm makes of a stream ``[..., d_model]`` before its scale and shift, in the stream's type."""
    wide = stream.to(torch.promote_types(stream.dtype, torch.float32))
    if norm.centred:
        wide = wide - wide.mean(-1, keepdim=True)
    return (wide * (wide.square().mean(-1, keepdim=True) + norm.eps).rsqrt()).to(stream.dtype)


def _before(module: nn.Module, write: Callable[[Tensor], None]) -> Callable[[], None]:
    def hook(_: nn.Module, args: tuple[Any, ...]) -> None:
        write(args[0])

    return module.register_forward_pre_hook(hook).remove


def _after(module: nn.Module, write: Callable[[Tensor], None]) -> Callable[[], None]:
    def hook(_: nn.Module, __: Any, output: Tensor) -> None:
        write(output)

    return module.register_forward_hook(hook).remove
