"""What the last tenth of a training saw: sparsity and error, which scores are checked against."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.methods.dictionaries.learner import Outcome


@dataclass(frozen=True, eq=False)
class TrainingLog:
    """Sums over tokens, in float64.

    Attributes:
        sums: Tokens, active latents, squared error, squared target, ``[4]``.
        target: Sum of the targets, ``[d_out]``.
    """

    sums: Tensor
    target: Tensor

    @classmethod
    def empty(cls, d_out: int, device: torch.device) -> TrainingLog:
        """Nothing seen."""
        zeros = torch.zeros(4 + d_out, dtype=torch.float64, device=device)
        return cls(zeros[:4].clone(), zeros[4:].clone())

    @property
    def state(self) -> dict[str, Tensor]:
        """The sums, which change in place."""
        return {"log.sums": self.sums, "log.target": self.target}

    @torch.no_grad()
    def saw(self, outcome: Outcome, target: Tensor) -> None:
        """Add a step."""
        exact, tokens = target.double(), len(target)
        error, square = outcome.residual.double().square().sum(), exact.square().sum()
        self.sums.add_(torch.stack([error.new_tensor(tokens), error.new_tensor(outcome.l0 * tokens), error, square]))
        self.target.add_(exact.sum(0))

    @property
    def l0(self) -> float | None:
        """Active latents per token; None where nothing was seen."""
        tokens, active, *_ = self.sums.tolist()
        return active / tokens if tokens else None

    @property
    def fvu(self) -> float | None:
        """Squared error over the squared distance of the targets from their mean; None where that is 0."""
        tokens, _, error, square = self.sums.tolist()
        spread = square - float(self.target.square().sum()) / tokens if tokens else 0.0
        return error / spread if spread > 0 else None
