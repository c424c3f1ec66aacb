"""The training loop of dictionaries."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Dictionary, TrainingFacts
from mibench.core.errors import MethodError
from mibench.engine.activations.source import Activations
from mibench.methods.dictionaries.checkpoints import Checkpoint
from mibench.methods.dictionaries.export import exported
from mibench.methods.dictionaries.interruption import Interruption
from mibench.methods.dictionaries.learner import Learner, Moment
from mibench.methods.dictionaries.optimiser import Adam
from mibench.methods.dictionaries.recipe import Recipe
from mibench.methods.dictionaries.sample import Sample, Scaler, sample_of
from mibench.methods.dictionaries.schedules import warm_and_decay
from mibench.methods.dictionaries.training_log import TrainingLog
from mibench.methods.dictionaries.weights import own_draws
from mibench.methods.dictionary_view import DictionaryView

Start = Callable[[Sample, torch.Generator], Learner]
"""Makes an untrained dictionary from a sample of the data, drawing from the generator."""
_VERSION = 1


@dataclass(frozen=True)
class WatchedView(DictionaryView):
    """A view that is handed dictionaries in the course of a training.

    Attributes:
        fractions: Shares of the training, each above 0 and at most 1.
        watch: Handed the dictionary as it is then.
    """

    fractions: tuple[float, ...] = ()
    watch: Callable[[Dictionary], None] | None = None


@dataclass(frozen=True, eq=False)
class Training:
    """A training under way.

    Attributes:
        view: The view.
        recipe: How long and how fast.
        learner: What is trained.
        scaler: In which scale.
        adam: How.
        log: What its last tenth saw.
    """

    view: DictionaryView
    recipe: Recipe
    learner: Learner
    scaler: Scaler
    adam: Adam
    log: TrainingLog

    @property
    def state(self) -> dict[str, Tensor]:
        """All tensors that change."""
        return {**self.learner.learnable, **self.learner.kept, **self.adam.state, **self.log.state}

    @property
    def checkpoint(self) -> Checkpoint:
        """Where it is kept while it is unfinished."""
        identity = {
            "version": _VERSION,
            "torch": torch.__version__,
            "learner": type(self.learner).__name__,
            "settings": dict(self.learner.settings),
            "recipe": self.recipe.content,
            "source": self.view.source.digest,
            "seed": self.view.seed,
            "device": self.view.device.type,
        }
        return Checkpoint(self.view.checkpoints, identity, self.view.saved)

    def take(self, batch: Activations, step: int) -> None:
        """One step.

        Raises:
            MethodError: The loss is not a number.
        """
        moment, scaled = Moment(step, self.recipe), self.scaler(batch)
        outcome = self.learner.step(scaled, moment)
        _check(outcome.loss, step)
        if moment.logged:
            self.log.saw(outcome, scaled.targets)
        self.adam.gradients(outcome.loss)
        self.learner.before_update()
        self.adam.update(warm_and_decay(step, self.recipe.steps))
        self.learner.settle()

    def dictionary(self, steps: int) -> Dictionary:
        """What there is after so many steps."""
        facts = replace(
            self.view.facts,
            tokens=steps * self.recipe.batch,
            seed=self.view.seed,
            l0=self.log.l0,
            fvu=self.log.fvu,
        )
        return finished(self.view, self.learner, self.scaler, facts)


def finished(view: DictionaryView, learner: Learner, scaler: Scaler, facts: TrainingFacts) -> Dictionary:
    """A learner as a dictionary for activations as they are."""
    return exported(view, learner.learnt(), scaler, pre_bias=learner.weights.pre_bias, facts=facts)


def train(view: DictionaryView, recipe: Recipe, start: Start) -> Dictionary:
    """Train a dictionary; goes on where a checkpoint of the same training stopped, to the same bits.

    Args:
        view: The cell's view.
        recipe: How long and how fast.
        start: Makes the untrained dictionary.

    Raises:
        MethodError: The activations cannot be scaled, or the loss stops being a number.
        StoreError: A checkpoint cannot be written.
    """
    sample = sample_of(view, recipe.batch)
    learner = start(sample, own_draws(view))
    log = TrainingLog.empty(view.source.d_out, view.device)
    training = Training(view, recipe, learner, sample.scaler, Adam(learner.learnable, recipe.lr), log)
    del sample
    return _run(training)


def _run(training: Training) -> Dictionary:
    view, steps, checkpoint = training.view, training.recipe.steps, training.checkpoint
    done = checkpoint.restore(training.state)
    watched = _watched(view, steps)
    with Interruption() as interruption:
        for step, batch in enumerate(_batches(training, done), start=done):
            training.take(batch, step)
            for watch in watched.get(step + 1, ()):
                watch(training.dictionary(step + 1))
            asked = interruption.asked
            checkpoint.save(step + 1, training.state, now=asked)
            view.progress(step + 1, steps)
            if asked:
                break
    checkpoint.remove()
    return training.dictionary(steps)


def _batches(training: Training, done: int) -> Iterator[Activations]:
    source, recipe = training.view.source, training.recipe
    if done == recipe.steps:
        return
    for count, batch in enumerate(source.batches(recipe.batch, training.view.seed, skip=done), start=done + 1):
        yield batch
        if count == recipe.steps:
            return


def _watched(view: DictionaryView, steps: int) -> Mapping[int, list[Callable[[Dictionary], None]]]:
    """Who is handed the dictionary after which step."""
    found: dict[int, list[Callable[[Dictionary], None]]] = {}
    if isinstance(view, WatchedView) and view.watch is not None:
        for share in view.fractions:
            found.setdefault(max(1, round(share * steps)), []).append(view.watch)
    return found


def _check(loss: Tensor, step: int) -> None:
    number = loss.item()
    if not math.isfinite(number):
        raise MethodError(
            f"The loss of training step {step} is {number}.",
            why="The learning rate is too large, or the activations are not finite.",
            do="Give a smaller lr, or check the activations.",
        )
