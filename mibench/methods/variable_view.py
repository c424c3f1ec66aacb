"""What a method of the causal-variable track sees: the model, labelled rows, the sites, and the engine's verbs.

It never sees the test split, nor how it is scored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.artifacts.featurizers.featurizers import Featurizers, SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import MethodError
from mibench.core.sites import Component, Site
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.objective import Objective, quality
from mibench.engine.interchange.options import InterchangeOptions, Intervention
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.variable_parts import Training

Part = Literal["train", "validation"]
Select = Literal["all"] | Sequence[int] | NDArray[np.bool_]


@dataclass(frozen=True)
class Ground:
    """What a method is to work on.

    Attributes:
        task: Name of the task.
        model: Name of the model.
        variable: The causal variable; several that are interchanged together are joined by ``+``.
        groups: Sites that are intervened on together, most often one by one.
        size: The task's default number of features of a site, from its width.
        training: The task's defaults of training.
        coefficients: Of the linear target, the constant first; None: the task has answers, not a linear target.
    """

    task: str
    model: str
    variable: str
    groups: tuple[tuple[Site, ...], ...]
    size: Callable[[int], int]
    training: Training
    coefficients: tuple[float, ...] | None = None


@dataclass(frozen=True)
class VariableView:
    """A method's window on one cell.

    Attributes:
        model: The model, with its parts.
        ground: Task, variable and sites.
        train: Labelled rows to discover with, those that the model solves; none if the method does not need them.
        validation: Labelled rows to choose parameters with, if it needs ``validation``.
        options: How rows are put into batches and answers are read.
        seed: Seed of the cell.
        counter: Counts passes; the verbs do it by themselves.
        progress: Shows how far the work has come.
    """

    model: LanguageModel
    ground: Ground
    train: Sequence[EncodedInterchange] = ()
    validation: Sequence[EncodedInterchange] = ()
    options: InterchangeOptions = field(default_factory=InterchangeOptions)
    seed: int = 0
    counter: PassCounter = field(default_factory=NoCounter)
    progress: Progress = no_progress

    @property
    def groups(self) -> tuple[tuple[Site, ...], ...]:
        """Sites that are intervened on together."""
        return self.ground.groups

    @property
    def sites(self) -> tuple[Site, ...]:
        """All sites, each once, in order."""
        return tuple(dict.fromkeys(site for group in self.groups for site in group))

    @property
    def variable(self) -> str:
        """The causal variable."""
        return self.ground.variable

    @property
    def training(self) -> Training:
        """The task's defaults: epochs, batch, learning rate."""
        return self.ground.training

    @property
    def generator(self) -> np.random.Generator:
        """A new generator from the cell's seed."""
        return np.random.default_rng(self.seed)

    def generator_for(self, *sites: Site) -> torch.Generator:
        """A new generator from the seed and the names of ``sites``: the same whatever else is done."""
        key = "/".join([str(self.seed), *(site.name for site in sites)])
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 1
        return torch.Generator().manual_seed(number)

    def width(self, site: Site) -> int:
        """Width of what a site holds."""
        anatomy = self.model.anatomy
        return anatomy.head_dim if site.component is Component.HEAD else anatomy.d_model

    def size(self, site: Site, k: int | None = None) -> int:
        """Number of features: ``k``, or the task's default, which is at most the width.

        Raises:
            MethodError: ``k`` is above the width.
        """
        width = self.width(site)
        if k is not None and k > width:
            raise MethodError(
                f"{k} features do not fit into {site.name}.", why=f"It is {width} wide.", do=f"Give at most {width}."
            )
        return min(width, self.ground.size(width)) if k is None else k

    @cached_property
    def _runs(self) -> dict[str, Interchanges]:
        return {}

    def interchanges(self, part: Part = "train") -> Interchanges:
        """The rows of a part, ready for interventions; base and source runs are kept.

        Raises:
            MethodError: The method did not say that it needs them.
        """
        rows = self.train if part == "train" else self.validation
        if not rows:
            raise MethodError(
                f"There are no {part} rows.",
                why="The method does not say that it needs them, or the model solves none.",
                do=f"Add '{part}' to needs in @method(…), or use another task.",
            )
        if part not in self._runs:
            self._runs[part] = Interchanges(self.model, rows, self.options, self.counter, self.progress)
        return self._runs[part]

    @property
    def objective(self) -> Objective:
        """What training lowers."""
        return Objective(self.ground.coefficients)

    def loss(self, logits: Tensor, rows: Sequence[EncodedInterchange]) -> Tensor:
        """Mean over rows of the cross-entropy of their label, or of the squared distance from the linear target.

        Args:
            logits: At the answer positions, ``[batch, n_answer, vocab]``.
            rows: The rows.
        """
        return self.objective.loss(logits, rows)

    def evaluate(self, interventions: Sequence[Intervention]) -> NDArray[np.float64]:
        """Score of each intervention on the validation rows, ``[interventions]``; higher is better.

        It is the mean over counterfactual sets of the interchange intervention accuracy, or minus the mean squared
        distance from the linear target.
        """
        outputs = self.interchanges("validation").run(interventions)
        return quality(outputs, self.validation, self.ground.coefficients)

    def featurizers(self, found: Mapping[Site, tuple[Sequence[Operation], Select]], **meta: Any) -> Featurizers:
        """Make an artifact of operations and selected features by site; ``meta`` is kept with it."""
        sites = tuple(
            SiteFeaturizer(site, tuple(operations), select if isinstance(select, str | np.ndarray) else tuple(select))
            for site, (operations, select) in found.items()
        )
        ground = self.ground
        return Featurizers(model=ground.model, task=ground.task, variable=ground.variable, sites=sites, meta=meta)
