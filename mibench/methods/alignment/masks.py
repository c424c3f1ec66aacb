"""Learnt masks over the features of given operations (desiderata-based masking)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.sites import Site
from mibench.engine.featurizers.edit import interchange
from mibench.engine.featurizers.operations import TensorOperation, on_device
from mibench.engine.interchange.options import Edit
from mibench.engine.model import LanguageModel
from mibench.methods.alignment.align import align
from mibench.methods.alignment.fitting import Recipe
from mibench.methods.alignment.site_map import Exported, SiteMap, annealed
from mibench.methods.variable_view import VariableView
from mibench.tasks.variable_task import Training

WARM, COLD = 1.0, 0.01
"""Temperature of the gates at the first step and after the last."""


@dataclass(frozen=True)
class Features:
    """Features of a site: the operations that make them, and how many there are."""

    operations: tuple[Operation, ...]
    number: int


@dataclass(frozen=True)
class Mask:
    """Gates σ(m / T) of the features while training, σ(m) > ½ at the end; m starts at 0, which is not selected.

    Attributes:
        logits: What is learnt, m, ``[features]``.
        given: The operations, as data.
        operations: The same as tensors.
        sparsity: Price of an open gate.
    """

    logits: Tensor
    given: tuple[Operation, ...]
    operations: tuple[TensorOperation, ...]
    sparsity: float

    def groups(self) -> list[dict[str, Any]]:
        """The one learnt tensor."""
        return [{"params": [self.logits]}]

    def gates(self, done: float) -> Tensor:
        """How much of each feature is swapped, ``[features]``."""
        return (self.logits / annealed(WARM, COLD, done)).sigmoid()

    def edit(self, done: float) -> Edit:
        """The interchange by soft gates."""
        return partial(interchange, self.operations, self.gates(done))

    def penalty(self, done: float) -> Tensor:
        """The price of all gates."""
        return self.sparsity * self.gates(done).sum()

    def settle(self) -> None:
        """Nothing to put back."""

    def exported(self) -> Exported:
        """The operations, and the features whose gate is open."""
        return self.given, (self.logits.detach().sigmoid() > 0.5).cpu().numpy()


def shut_mask(features: Features, sparsity: float, model: LanguageModel) -> Mask:
    """A mask before training."""
    logits = torch.zeros(features.number, device=model.device, dtype=model.accumulate, requires_grad=True)
    operations = tuple(on_device(one, device=model.device, dtype=model.accumulate) for one in features.operations)
    return Mask(logits, features.operations, operations, sparsity)


@dataclass(frozen=True)
class Sweep:
    """Masks with several prices of a gate.

    Attributes:
        training: How each is trained.
        sparsities: The prices.
    """

    training: Training
    sparsities: Sequence[float]


def learn_masks(view: VariableView, features: dict[Site, Features], sweep: Sweep) -> Featurizers:
    """Learn a mask at every site, with the price of a gate that is best on the validation rows.

    Args:
        view: The view.
        features: What is masked, by site.
        sweep: How.
    """

    def recipe(sparsity: float) -> Recipe:
        def start(site: Site, _generator: torch.Generator) -> SiteMap:
            return shut_mask(features[site], sparsity, view.model)

        return Recipe(start, sweep.training)

    return align(view, [recipe(sparsity) for sparsity in sweep.sparsities], sparsities=list(sweep.sparsities))
