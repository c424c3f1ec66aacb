"""What is trained at one site."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.featurizers.selection import Select
from mibench.engine.interchange.options import Edit

Exported = tuple[tuple[Operation, ...], Select]
"""Operations of a featurizer and the features that are swapped."""


class SiteMap(Protocol):
    """A featurizer with learnable tensors, and which of its features are swapped."""

    def groups(self) -> list[dict[str, Any]]:
        """The learnable tensors, as parameter groups of a torch optimiser."""

    def edit(self, done: float) -> Edit:
        """The interchange of its features, with gradients, when a share ``done`` of the training is over."""

    def penalty(self, done: float) -> Tensor:
        """What is added to the loss, a number."""

    def settle(self) -> None:
        """Put tensors back where they may be, after a step."""

    def exported(self) -> Exported:
        """What has been learnt, as data."""


def annealed(start: float, end: float, done: float) -> float:
    """A temperature that goes linearly from ``start`` to ``end`` while ``done`` goes from 0 to 1."""
    return start + (end - start) * done
