"""What a task of the causal-variable track is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mibench.core.errors import DataError
from mibench.tasks.causal.model import CausalModel
from mibench.tasks.checker import Checker
from mibench.tasks.encode import TextEncoder
from mibench.tasks.interchange import InterchangeRow, Setting
from mibench.tasks.positions import Position
from mibench.tasks.task import LeftOut

DEFAULT_SIZE = 16
"""Features that a variable's subspace has where the task says nothing; MIB's number for small variables."""
_FRACTION = re.compile(r"d/([1-9]\d{0,3})")


@dataclass(frozen=True)
class LeftOutOfSet(LeftOut):
    """Stands in the place of a row that one counterfactual set cannot use; a bare LeftOut is for all sets.

    Attributes:
        set: Name of the set.
    """

    set: str


class Rows(Protocol):
    """Gives a split's rows in order, sets mixed or one after the other."""

    def __call__(self, split: str, encoder: TextEncoder | None) -> Iterable[InterchangeRow | LeftOut]:
        """Return or yield the rows of ``split``; with ``encoder``, those that its tokens do not allow as LeftOut."""


@dataclass(frozen=True)
class Training:
    """How featurizers of a task are trained; MIB's numbers are the tasks' defaults.

    Attributes:
        epochs: Times that each row is seen.
        batch: Rows of a step.
        lr: Learning rate.
    """

    epochs: int = 8
    batch: int = 64
    lr: float = 1e-2


@dataclass(frozen=True)
class Linear:
    """A target that is linear in signals of the variables (IOI); the coefficients are fitted for each model.

    Attributes:
        tokens: The two answers whose logits are compared, first minus second.
        signs: Signals of a setting, each ±1, one a variable of the task.
    """

    tokens: Callable[[InterchangeRow], tuple[str, str]]
    signs: Callable[[Setting], tuple[float, ...]]


def no_groups(_row: InterchangeRow) -> Mapping[str, str]:
    """Say nothing about a row."""
    return {}


@dataclass(frozen=True)
class Parts:
    """What a task is made of.

    Attributes:
        causal: Says what every interchange should do.
        sets: Names of the counterfactual sets.
        positions: Where sites can be; those that need no gold answer first.
        checker: Judges answers.
        rows: Gives the rows of a split.
        sizes: Features of a variable's subspace, a number or a fraction of the width such as ``d/2``.
        training: How featurizers are trained.
        linear: For a linear target.
        heads: Heads that a task is about, as (layer, head), by catalogue name of the model.
        group: What a row is about (template, entity …).
    """

    causal: CausalModel
    sets: tuple[str, ...]
    positions: tuple[Position, ...]
    checker: Checker
    rows: Rows
    sizes: Mapping[str, int | str] = field(default_factory=dict)
    training: Training = Training()
    linear: Linear | None = None
    heads: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    group: Callable[[InterchangeRow], Mapping[str, str]] = no_groups


def subspace_size(size: int | str, width: int) -> int:
    """Return a number of features of ``width``: ``size`` itself, or the fraction ``d/N`` that it names; at least 1.

    Raises:
        DataError: It is neither.
    """
    if isinstance(size, int):
        return min(size, width)
    found = _FRACTION.fullmatch(size)
    if found is None:
        raise DataError(f"'{size}' is no size of a subspace.", why="It is not d/N.", do="Write a number, or d/2.")
    return max(1, width // int(found[1]))
