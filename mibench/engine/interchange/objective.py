"""How near outputs after an interchange come to what the causal model says: to train, and to choose by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.engine.interchange.outputs import Outputs
from mibench.tasks.interchange import EncodedInterchange

Coefficients = tuple[float, ...]


def targets(rows: Sequence[EncodedInterchange], coefficients: Coefficients | None) -> NDArray[np.float64]:
    """The linear target of each row, ``[rows]``: constant + Σ coefficient · signal; nan without one."""
    if coefficients is None:
        return np.full(len(rows), np.nan)
    constant, *slopes = coefficients
    signs = np.array([row.target.signs if row.target else [np.nan] * len(slopes) for row in rows], dtype=np.float64)
    return np.asarray(constant + signs @ np.array(slopes), dtype=np.float64)


def quality(
    outputs: Outputs, rows: Sequence[EncodedInterchange], coefficients: Coefficients | None
) -> NDArray[np.float64]:
    """Score of each intervention, ``[interventions]``, higher is better.

    The mean over counterfactual sets of the interchange intervention accuracy; with coefficients, minus the mean
    over sets of the squared distance from the linear target.
    """
    values = outputs.correct.astype(np.float64)
    if coefficients is not None:
        values = -((outputs.contrast - targets(rows, coefficients)) ** 2)
    sets = np.array([row.set for row in rows])
    means = [values[:, sets == name].mean(-1) for name in dict.fromkeys(sets.tolist())]
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)


@dataclass(frozen=True)
class Objective:
    """What training lowers.

    Attributes:
        coefficients: Of the linear target, the constant first; None: rows have labels.
    """

    coefficients: Coefficients | None = None

    def losses(self, logits: Tensor, rows: Sequence[EncodedInterchange]) -> Tensor:
        """Loss of each row, ``[batch]``.

        Args:
            logits: At the answer positions, ``[batch, n_answer, vocab]``; a shorter label has its positions first.
            rows: The rows.
        """
        if self.coefficients is not None:
            return self._squared(logits, rows)
        width = logits.shape[1]
        labels = torch.tensor([[*row.label, *[-100] * (width - len(row.label))] for row in rows], device=logits.device)
        flat = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100, reduction="none"
        )
        return flat.view_as(labels).sum(-1) / (labels >= 0).sum(-1)

    def loss(self, logits: Tensor, rows: Sequence[EncodedInterchange]) -> Tensor:
        """Mean over rows of ``losses``."""
        return self.losses(logits, rows).mean()

    def _squared(self, logits: Tensor, rows: Sequence[EncodedInterchange]) -> Tensor:
        pairs = torch.tensor([row.target.tokens if row.target else (0, 0) for row in rows], device=logits.device)
        chosen = logits[:, 0].to(torch.promote_types(logits.dtype, torch.float32)).gather(1, pairs)
        wanted = torch.from_numpy(targets(rows, self.coefficients)).to(chosen)
        return (chosen[:, 0] - chosen[:, 1] - wanted) ** 2
