"""The threshold that stands for the choice over a batch once training is over."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class RunningThreshold:
    """Running mean of the smallest latent that was kept.

    Attributes:
        value: The mean, ``[]``, float64; negative before anything was seen.
        window: About how many steps it is over.
    """

    value: Tensor
    window: float

    @classmethod
    def over(cls, steps: int, device: torch.device) -> RunningThreshold:
        """Over a twentieth of the steps."""
        return cls(torch.full((), -1.0, dtype=torch.float64, device=device), max(1.0, steps / 20))

    @torch.no_grad()
    def saw(self, kept: Tensor) -> None:
        """Take note of the kept latents ``[n]`` of a batch; those that are 0 are not kept."""
        kept = kept[kept > 0]
        if len(kept):
            smallest = kept.min().double()
            self.value.copy_(torch.where(self.value < 0, smallest, self.value.lerp(smallest, 1 / self.window)))

    @property
    def bound(self) -> Tensor:
        """The threshold, 0 or more, ``[]``."""
        return self.value.clamp_min(0).float()
