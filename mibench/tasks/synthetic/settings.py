"""Settings of the tasks on synthetic activations."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.tasks.synthetic.recipe import Recipe


@dataclass(frozen=True)
class SyntheticSettings:
    """What is drawn, and how much.

    The truth (directions, rates, relations) is fixed by ``recipe.seed``: dictionaries are trained on it, and scored on
    other samples of it. Training, validation and test have seeds of their own, so that no sample is in two of them; the
    seed of a scoring draws other validation or test samples of the same truth.

    Attributes:
        recipe: The law of the activations.
        samples: Evaluated samples.
        training: Samples that count as one epoch of training; each is drawn anew, in every epoch.
    """

    recipe: Recipe
    samples: int
    training: int
