"""The training loop of featurizers: interchange interventions with gradients, the network itself frozen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mibench.core.errors import MethodError
from mibench.core.sites import Site
from mibench.engine.interchange.options import Intervention, SiteEdit
from mibench.engine.meter import Progress
from mibench.methods.alignment.site_map import SiteMap
from mibench.methods.variable_view import VariableView
from mibench.tasks.interchange import EncodedInterchange
from mibench.tasks.variable_task import Training

Maps = dict[Site, SiteMap]
Start = Callable[[Site, torch.Generator], SiteMap]
"""Makes what is trained at a site, before training, drawing from the generator."""
Weights = Callable[[Sequence[EncodedInterchange]], Sequence[float]]
"""How much each training row counts."""


@dataclass(frozen=True)
class Recipe:
    """One way of training.

    Attributes:
        start: Makes what is trained at a site.
        training: Epochs, batch, learning rate.
        weights: How much each row counts; None: all the same.
    """

    start: Start
    training: Training
    weights: Weights | None = None


@dataclass
class Clock:
    """Reports progress in rows seen, over all trainings.

    Attributes:
        progress: Told.
        total: Rows in all.
        seen: Rows so far.
    """

    progress: Progress
    total: int
    seen: int = 0

    def tick(self, rows: int) -> None:
        """Count rows."""
        self.seen += rows
        self.progress(self.seen, self.total)


@dataclass(frozen=True)
class Fitted:
    """What a training gave.

    Attributes:
        maps: What was trained, by site.
        log: Mean loss of each epoch, penalties left out.
    """

    maps: Maps
    log: list[float] = field(default_factory=list)


def intervention_of(maps: Maps, done: float) -> Intervention:
    """The joint interchange of all sites, with gradients, when a share ``done`` of the training is over."""
    return tuple(SiteEdit(site, one.edit(done)) for site, one in maps.items())


def fit(view: VariableView, group: Sequence[Site], recipe: Recipe, clock: Clock) -> Fitted:
    """Train maps at the sites of a group together, by AdamW without weight decay.

    What it draws depends on the seed and the group's sites only.

    Args:
        view: The view.
        group: Sites that are intervened on together.
        recipe: How.
        clock: Told of every step.

    Raises:
        MethodError: The loss stopped being a number.
    """
    generator = view.generator_for(*group)
    maps = {site: recipe.start(site, generator) for site in group}
    weights = torch.tensor(recipe.weights(view.train) if recipe.weights else [1.0] * len(view.train))
    tensors = [groups for one in maps.values() for groups in one.groups()]
    optimiser = torch.optim.AdamW(tensors, lr=recipe.training.lr, weight_decay=0)
    log, seen, total = [], 0, recipe.training.epochs * len(view.train)
    for _ in range(recipe.training.epochs):
        lost = 0.0
        for batch in view.interchanges().minibatches(recipe.training.batch, generator):
            logits = batch.logits(intervention_of(maps, seen / total))
            losses = view.objective.losses(logits, [view.train[place] for place in batch.rows])
            loss = (losses * weights[batch.rows].to(losses)).mean()
            lost += _number(loss, group) * len(batch.rows)
            _step(optimiser, maps, loss + sum(one.penalty(seen / total) for one in maps.values()))
            seen += len(batch.rows)
            clock.tick(len(batch.rows))
        log.append(float(f"{lost / len(view.train):.5g}"))
    return Fitted(maps, log)


def _step(optimiser: torch.optim.Optimizer, maps: Maps, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    for one in maps.values():
        one.settle()


def _number(loss: Tensor, group: Sequence[Site]) -> float:
    number = loss.item()
    if not math.isfinite(number):
        raise MethodError(
            f"The training at {' + '.join(site.name for site in group)} came to a loss of {number}.",
            why="The learning rate is too large for it, or the model's type too narrow.",
            do="Give a smaller lr, or another dtype.",
        )
    return number
