"""From a base with its sources, as data sets have them, to the rows of the variable track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mibench.tasks.causal.model import CausalModel
from mibench.tasks.interchange import InterchangeRow, Setting
from mibench.tasks.task import LeftOut
from mibench.tasks.variable_parts import LeftOutOfSet

DISAGREES = "the causal model disagrees with the recorded answer"


@dataclass(frozen=True)
class Example:
    """A prompt, what it says, and its answer.

    Attributes:
        prompt: Its text.
        inputs: Inputs of the causal model.
        answer: What the data set says the causal model's output is.
    """

    prompt: str
    inputs: Setting
    answer: Any


@dataclass(frozen=True)
class Family:
    """A base prompt and its sources.

    Attributes:
        base: The base.
        sources: By counterfactual set: the source, or why there is none.
    """

    base: Example
    sources: Mapping[str, Example | LeftOut]


def to_rows(families: Iterable[Family | LeftOut], causal: CausalModel) -> Iterator[InterchangeRow | LeftOut]:
    """Yield a row for each base and each of its sources; ids are the places of the bases.

    Rows are left out where the causal model does not give the answer that the data set has.
    """
    for place, family in enumerate(families):
        if isinstance(family, LeftOut):
            yield family
        elif not _agrees(family.base, causal):
            yield LeftOut(DISAGREES)
        else:
            for name, source in family.sources.items():
                yield _row(str(place), name, family.base, source, causal)


def _row(
    place: str, name: str, base: Example, source: Example | LeftOut, causal: CausalModel
) -> InterchangeRow | LeftOut:
    if isinstance(source, LeftOut):
        return LeftOutOfSet(source.reason, name)
    if not _agrees(source, causal):
        return LeftOutOfSet(DISAGREES, name)
    return InterchangeRow(place, name, base.inputs, source.inputs, base.prompt, source.prompt)


def _agrees(example: Example, causal: CausalModel) -> bool:
    return bool(causal.run(example.inputs)[causal.output] == example.answer)
