"""What is trained: its tensors, its loss, and what it is when done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Architecture
from mibench.engine.activations.source import Activations
from mibench.methods.dictionaries.recipe import Recipe
from mibench.methods.dictionaries.weights import Weights


@dataclass(frozen=True)
class Moment:
    """When in a training.

    Attributes:
        step: Which step, from 0.
        recipe: Of the training.
    """

    step: int
    recipe: Recipe

    @property
    def logged(self) -> bool:
        """Whether it is in the last tenth, which the training log is about."""
        return self.step >= self.recipe.steps - max(1, self.recipe.steps // 10)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a step found.

    Attributes:
        loss: What is minimised, ``[]``.
        residual: Target minus reconstruction, ``[tokens, d_out]``, without gradients.
        l0: Latents active per token.
    """

    loss: Tensor
    residual: Tensor
    l0: float


@dataclass(frozen=True, eq=False)
class Learnt:
    """A dictionary in the scale of training.

    Attributes:
        architecture: Its family.
        activation: Its nonlinearity, as `Rule` has it.
        tensors: As `Dictionary` has them.
        k: For ``topk``.
        groups: Of a Matryoshka dictionary.
        meta: Anything else worth keeping.
    """

    architecture: Architecture
    activation: Any
    tensors: Mapping[str, Tensor]
    k: int | None = None
    groups: tuple[int, ...] = ()
    meta: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Learner(ABC):
    """A dictionary in training, with decoder rows of norm 1.

    Attributes:
        weights: Encoder and decoder.
    """

    weights: Weights

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What makes it different from others of its class, JSON values."""

    @property
    def learnable(self) -> Mapping[str, Tensor]:
        """Tensors that are trained, by name."""
        return self.weights.named

    @property
    @abstractmethod
    def kept(self) -> Mapping[str, Tensor]:
        """Other tensors that change in training, by name."""

    @abstractmethod
    def step(self, batch: Activations, moment: Moment) -> Outcome:
        """The loss of a scaled batch; takes note of what it has to."""

    def before_update(self) -> None:
        """Keep the decoder's gradient on the sphere of unit rows."""
        self.weights.drop_radial()

    def settle(self) -> None:
        """Put tensors back where they may be, after an update: decoder rows of norm 1."""
        self.weights.normalise()

    @abstractmethod
    def learnt(self) -> Learnt:
        """What has been learnt so far."""
