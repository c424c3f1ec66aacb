"""Adam, with its state as named tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

BETAS = (0.9, 0.999)
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class Adam:
    """Adam in its fused form.

    Args:
        learnable: Tensors by name; from here on they collect gradients.
        lr: Learning rate at its height.
    """

    def __init__(self, learnable: Mapping[str, Tensor], lr: float) -> None:
        self._learnable = {name: tensor.requires_grad_() for name, tensor in learnable.items()}
        self._lr = lr
        self._adam = torch.optim.Adam(list(self._learnable.values()), lr=lr, betas=BETAS, fused=True)
        for tensor in self._learnable.values():
            step = torch.zeros((), device=tensor.device)
            self._adam.state[tensor] = dict(
                zip(_MOMENTS, (torch.zeros_like(tensor), torch.zeros_like(tensor), step), strict=True)
            )

    @property
    def state(self) -> dict[str, Tensor]:
        """Its moments and step counts, which change in place."""
        return {
            f"adam.{moment}.{name}": self._adam.state[tensor][moment]
            for name, tensor in self._learnable.items()
            for moment in _MOMENTS
        }

    def gradients(self, loss: Tensor) -> None:
        """Compute new gradients."""
        self._adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]

    def update(self, factor: float) -> None:
        """Take a step, with the learning rate times ``factor``."""
        for group in self._adam.param_groups:
            group["lr"] = self._lr * factor
        self._adam.step()
