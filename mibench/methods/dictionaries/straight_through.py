"""Steps with pseudo-derivatives, by which a threshold can be learnt."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd import Function


def kernel(distance: Tensor) -> Tensor:
    """The rectangle K(u): 1 where |u| < ½, else 0."""
    return (distance.abs() < 0.5).to(distance.dtype)


class _JumpReLU(Function):
    """z where z > θ, else 0."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        z, threshold, bandwidth = given
        ctx.save_for_backward(z, threshold)
        ctx.bandwidth = bandwidth
        out: Tensor = z * (z > threshold)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        (z, threshold), grad = ctx.saved_tensors, grads[0]
        near = kernel((z - threshold) / ctx.bandwidth) / ctx.bandwidth
        return grad * (z > threshold), -grad * threshold * near, None


class _Step(Function):
    """1 where z > θ, else 0."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        z, threshold, bandwidth = given
        ctx.save_for_backward(z, threshold)
        ctx.bandwidth = bandwidth
        out: Tensor = (z > threshold).to(z.dtype)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor | None, ...]:
        (z, threshold), grad = ctx.saved_tensors, grads[0]
        return None, -grad * kernel((z - threshold) / ctx.bandwidth) / ctx.bandwidth, None


def jump_relu(z: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    """Z · H(z − θ), with ∂/∂θ = −(θ / ε) K((z − θ) / ε); all of one shape.

    Args:
        z: Pre-activations.
        threshold: θ of each, above 0.
        bandwidth: ε, the width around θ from which it learns.
    """
    out: Tensor = _JumpReLU.apply(z, threshold, bandwidth)  # type: ignore[no-untyped-call]
    return out


def step(z: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    """H(z − θ), with ∂/∂θ = −(1 / ε) K((z − θ) / ε) and no derivative by z."""
    out: Tensor = _Step.apply(z, threshold, bandwidth)  # type: ignore[no-untyped-call]
    return out
