"""Which counterfactual sets tell which variables apart: read from the causal model, before any network is run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from mibench.core.errors import DataError
from mibench.tasks.causal.model import CausalModel
from mibench.tasks.interchange import InterchangeRow

if TYPE_CHECKING:
    from mibench.tasks.variable_task import VariableTask

NOTHING = "nothing"
"""Stands for no intervention: the share by which a variable differs from it is the share of cause rows."""


@dataclass(frozen=True)
class Separation:
    """How often a set's rows tell two variables apart.

    Attributes:
        set: Name of the counterfactual set.
        first: A variable, or several joined by ``+``.
        second: Another one, or ``nothing`` for no intervention.
        share: Of the rows, those where the output after an interchange on the one differs from that on the other.
        n: Number of rows.
    """

    set: str
    first: str
    second: str
    share: float
    n: int


def separations(model: CausalModel, rows: Iterable[InterchangeRow], variables: Sequence[str]) -> tuple[Separation, ...]:
    """Return, for each set and each pair of ``variables`` and ``nothing``, the share of rows that separate them.

    One minus the share of a variable and ``nothing`` is the score of doing nothing, for a network that always
    answers as the causal model does. Sets come in the order of their first rows.

    Raises:
        UsageError: A variable is unknown.
        DataError: The model does not fit a row.
    """
    outputs: dict[str, list[list[object]]] = defaultdict(list)
    for row in rows:
        outputs[row.set].append(_outputs(model, row, variables))
    names = (*variables, NOTHING)
    found = []
    for name, table in outputs.items():
        for one, other in combinations(range(len(names)), 2):
            differ = sum(line[one] != line[other] for line in table)
            found.append(Separation(name, names[one], names[other], differ / len(table), len(table)))
    return tuple(found)


def check_separated(task: VariableTask, variable: str, rows: Iterable[InterchangeRow]) -> tuple[Separation, ...]:
    """Refuse a cell whose rows cannot tell its variable from another one, or from doing nothing.

    Args:
        task: The task.
        variable: One of its variables, or several joined by ``+``.
        rows: Rows of the split that is scored.

    Returns:
        The separations of all variables of the task, and of ``variable``.

    Raises:
        UsageError: The variable is unknown.
        DataError: In no set does an interchange on it change the answer, or differ from one on another variable of
            the task.
    """
    task.parts_of(variable)
    names = tuple(dict.fromkeys((variable, *task.variables)))
    found = separations(task.causal, rows, names)
    for other in (NOTHING, *names[1:]):
        if not any(one.share > 0 for one in found if {one.first, one.second} == {variable, other}):
            raise _not_separated(task, variable, other)
    return found


def _outputs(model: CausalModel, row: InterchangeRow, variables: Sequence[str]) -> list[object]:
    swapped = [model.interchange_on(name, row.base, row.source)[model.output] for name in variables]
    return [*swapped, model.run(row.base)[model.output]]


def _not_separated(task: VariableTask, variable: str, other: str) -> DataError:
    what = "doing nothing" if other == NOTHING else f"'{other}'"
    return DataError(
        f"The rows of '{task.name}' do not tell '{variable}' from {what}.",
        why=f"In no row of {', '.join(task.parts.sets)} does the causal model say that they give different answers.",
        do="Take more rows, another counterfactual set, or another variable.",
    )
