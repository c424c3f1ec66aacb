"""Encoder and decoder at chosen entries only, with gradients that cost no more than those entries."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd import Function

from mibench.methods.dictionaries.patterns import Pattern


class _Picked(Function):
    """Entries of pre-activations that have been computed without gradients, with the encoder's gradients."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        _, _, x, known, pattern = given
        ctx.save_for_backward(x)
        ctx.pattern = pattern
        entries: Tensor = known.flatten()[pattern.places]
        return entries

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        (x,), pattern, grad = ctx.saved_tensors, ctx.pattern, grads[0]
        bias = pattern.transposed_times(grad, x.new_ones(len(x), 1)).flatten()
        return pattern.transposed_times(grad, x), bias, None, None, None


class _WithDecoder(Function):
    """A reconstruction that has been computed with gradients to the latents, and now with those to the decoder."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        reconstruction, _, values, pattern = given
        ctx.save_for_backward(values)
        ctx.pattern = pattern
        out: Tensor = reconstruction.view_as(reconstruction)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        (values,), grad = ctx.saved_tensors, grads[0].contiguous()
        return grad, ctx.pattern.transposed_times(values, grad), None, None


def picked(encoder: tuple[Tensor, Tensor], x: Tensor, known: Tensor, pattern: Pattern) -> Tensor:
    """Pre-activations at the pattern's entries ``[n]``, with gradients to the encoder, none to ``x``.

    Args:
        encoder: Rows ``[width, d_in]`` and bias ``[width]``.
        x: Activations, ``[tokens, d_in]``.
        known: All pre-activations, ``[tokens, width]``.
        pattern: Which of them.
    """
    out: Tensor = _Picked.apply(*encoder, x, known, pattern)  # type: ignore[no-untyped-call]
    return out


def decode(values: Tensor, pattern: Pattern, w_dec: Tensor) -> Tensor:
    """Latents at the pattern's entries ``[n]`` times decoder rows ``[width, d_out]``: ``[tokens, d_out]``."""
    out = pattern.times(values, w_dec)
    if w_dec.requires_grad:
        out = _WithDecoder.apply(out, w_dec, values.detach(), pattern)  # type: ignore[no-untyped-call]
    return out
