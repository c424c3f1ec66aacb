"""What a task of the causal-variable track is, how one registers itself, and how it is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import NotRequired, TypedDict, TypeVar, Unpack

from mibench.core.errors import DataError, UsageError
from mibench.core.hashing import digest
from mibench.core.names import unknown
from mibench.core.registry import Component, Registry
from mibench.tasks.causal.model import CausalModel
from mibench.tasks.encode import OffsetEncoder, TextEncoder
from mibench.tasks.interchange import EncodedInterchange, InterchangeRow
from mibench.tasks.positions import Position
from mibench.tasks.task import SPLITS, LeftOut
from mibench.tasks.variable_encode import Remembering, RowEncoder
from mibench.tasks.variable_parts import (
    DEFAULT_SIZE,
    LeftOutOfSet,
    Linear,
    Parts,
    Rows,
    Training,
    no_groups,
    subspace_size,
)

__all__ = [
    "DEFAULT_SIZE",
    "VARIABLE_TASKS",
    "EncodedSplit",
    "LeftOutOfSet",
    "Linear",
    "Parts",
    "Rows",
    "Training",
    "VariableTask",
    "list_variable_tasks",
    "load_variable_task",
    "no_groups",
    "variable_task",
]

VARIABLE_TASKS = Registry(kind="variable_task", package="mibench.tasks")
_T = TypeVar("_T")


@dataclass(frozen=True)
class EncodedSplit:
    """The rows of a split that one model and one variable can use.

    Attributes:
        rows: In order.
        origins: The same rows before, with the inputs of the causal model.
        left_out: Number of rows by set and reason; of those after the limit nothing is known. The set ``""`` means
            every set.
    """

    rows: tuple[EncodedInterchange, ...]
    origins: tuple[InterchangeRow, ...]
    left_out: Mapping[tuple[str, str], int]

    @property
    def digest(self) -> str:
        """The sha256 over the rows, in order."""
        return digest([asdict(row) for row in self.rows])


class VariableTaskFields(TypedDict):
    """What a task declares; the meaning of each is in :class:`VariableTask`."""

    name: str
    version: int
    variables: tuple[str, ...]
    citation: str
    licence: str
    notes: NotRequired[str]


@dataclass(frozen=True)
class VariableTask:
    """Interchange interventions with a causal model that says what they should do.

    Attributes:
        name: What users write; that of the circuit task on the same sentences.
        version: Raised when rows, causal model, positions or checker change.
        variables: Variables of the causal model that may be looked for.
        citation: Whom to cite for the data.
        licence: Licence of the data (SPDX).
        parts: What it is made of.
        description: One line.
        notes: What a reader of its numbers has to know.
    """

    name: str
    version: int
    variables: tuple[str, ...]
    citation: str
    licence: str
    parts: Parts
    description: str = ""
    notes: str = ""

    def __post_init__(self) -> None:
        names = [name for one in self.parts.positions for name in (one.name, *one.aliases)]
        wrong = ""
        if len(set(names)) < len(names) or not names:
            wrong = f"Its positions are {', '.join(names) or 'missing'}: each has a name of its own."
        elif not self.variables or not set(self.variables) <= set(self.causal.names):
            wrong = f"Its variables are {', '.join(self.variables)}; of the model {', '.join(self.causal.names)}."
        elif not self.parts.sets:
            wrong = "It has no counterfactual set."
        if wrong:
            raise DataError(f"The task '{self.name}' cannot be used.", why=wrong, do="Correct its parts.")

    @property
    def causal(self) -> CausalModel:
        """Its causal model."""
        return self.parts.causal

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of its splits."""
        return SPLITS

    @property
    def position_names(self) -> dict[str, str]:
        """The positions by every name that they have."""
        return {name: one.name for one in self.parts.positions for name in (one.name, *one.aliases)}

    def position(self, name: str) -> Position:
        """Return the position selector of that name or alias.

        Raises:
            UsageError: There is none.
        """
        for position in self.parts.positions:
            if name == position.name or name in position.aliases:
                return position
        raise unknown("position", name, [position.name for position in self.parts.positions])

    def size(self, variable: str, width: int) -> int:
        """Return how many features of ``width`` the variable's subspace has by default; of several: the largest.

        Raises:
            UsageError: The variable is not one of the task's.
        """
        sizes = [self.parts.sizes.get(name, DEFAULT_SIZE) for name in self.parts_of(variable)]
        return max(subspace_size(size, width) for size in sizes)

    def parts_of(self, variable: str) -> tuple[str, ...]:
        """Return the task's variables that ``variable`` names: one, or several joined by ``+``.

        Raises:
            UsageError: One is not among :attr:`variables`, or is named twice.
        """
        names = variable.split("+")
        for name in names:
            if name not in self.variables:
                raise unknown(f"variable of '{self.name}'", name, self.variables)
        return self.causal.parts(variable)

    def rows(self, split: str, limit: int | None = None) -> list[InterchangeRow]:
        """Return the first ``limit`` rows of each set of ``split``, in order; no tokenizer is asked.

        Raises:
            UsageError: Unknown split, or a limit below 1.
            DataError: The data cannot be read, or nothing is left.
        """
        return [row for row, _ in self._collect(split, limit, None, lambda row: row)[0]]

    def encoded(
        self,
        split: str,
        limit: int | None,
        variable: str,
        encoder: OffsetEncoder,
        vocab: int,
        *,
        positions: tuple[str, ...] | None = None,
    ) -> EncodedSplit:
        """Return the first ``limit`` usable rows of each set, as token ids and labelled for ``variable``.

        Args:
            split: One of :attr:`splits`.
            limit: At least 1; None for all. Counted after rows were left out.
            variable: One of :attr:`variables`, or several joined by ``+``: interchanged together.
            encoder: The model's tokenizer.
            vocab: Rows of its embedding.
            positions: Selectors that a row must have, by name or alias; None: all of the task's.

        Raises:
            UsageError: Unknown split, variable or position, or a limit below 1.
            DataError: The data cannot be read, an id is outside the vocabulary, or nothing is left.
        """
        self.parts_of(variable)
        names = [one.name for one in self.parts.positions] if positions is None else positions
        wanted = tuple(dict.fromkeys(self.position(name) for name in names))
        use = RowEncoder(self, variable, wanted, Remembering(encoder), vocab)
        kept, left_out = self._collect(split, limit, encoder, use)
        return EncodedSplit(tuple(row for _, row in kept), tuple(origin for origin, _ in kept), left_out)

    def digest(self, split: str, limit: int | None = None) -> str:
        """Return the sha256 of exactly the rows that :meth:`rows` returns for the same arguments."""
        return digest([asdict(row) for row in self.rows(split, limit)])

    def _collect(
        self, split: str, limit: int | None, encoder: TextEncoder | None, use: Callable[[InterchangeRow], _T | LeftOut]
    ) -> tuple[list[tuple[InterchangeRow, _T]], dict[tuple[str, str], int]]:
        """Return the rows with what ``use`` makes of them, and how many it or the tokenizer does not allow."""
        if split not in self.splits:
            raise unknown("split", split, self.splits)
        if limit is not None and limit < 1:
            raise UsageError(f"A limit of {limit} is not possible.", why="It is below 1.", do="Give 1 or more.")
        kept: list[tuple[InterchangeRow, _T]] = []
        count: Counter[str] = Counter()
        left_out: Counter[tuple[str, str]] = Counter()
        for item in self.parts.rows(split, encoder):
            if isinstance(item, LeftOut):
                left_out[getattr(item, "set", ""), item.reason] += 1
                continue
            if count[item.set] == limit:
                continue
            used = use(item)
            if isinstance(used, LeftOut):
                left_out[item.set, used.reason] += 1
                continue
            kept.append((item, used))
            count[item.set] += 1
            if all(count[one] == limit for one in self.parts.sets):
                break
        if not kept:
            raise self._nothing_left(split, left_out)
        return kept, dict(left_out)

    def _nothing_left(self, split: str, left_out: Mapping[tuple[str, str], int]) -> DataError:
        reasons = ", ".join(f"{name or 'all sets'}: {why} ({count})" for (name, why), count in left_out.items())
        return DataError(
            f"Task '{self.name}' has no usable rows in '{split}'.",
            why=f"Left out: {reasons}." if reasons else "The split is empty.",
            do="Use another task, or a model with another tokenizer." if reasons else "Use another split or task.",
        )


def variable_task(**fields: Unpack[VariableTaskFields]) -> Callable[[Callable[[], Parts]], VariableTask]:
    """Register a function that gives a task's parts as a :class:`VariableTask`.

    The arguments must be literals: the registry reads them by parsing the file. The description is the
    first line of the function's docstring.
    """

    def make(parts: Callable[[], Parts]) -> VariableTask:
        description = (parts.__doc__ or "").strip().split("\n")[0]
        return VariableTask(parts=parts(), description=description, **fields)

    return make


def list_variable_tasks() -> list[Component]:
    """Return what every registered task declares, sorted by name; imports none of them."""
    return list(VARIABLE_TASKS.components.values())


def load_variable_task(ref: str) -> VariableTask:
    """Return the task called ``ref``.

    Raises:
        UsageError: No task of the causal-variable track has that name.
        DataError: What is registered under it is no such task, or its parts do not fit.
    """
    found = VARIABLE_TASKS.load(ref)
    if not isinstance(found, VariableTask):
        why = f"It is a {type(found).__name__}."
        raise DataError(f"'{ref}' is not a task of the causal-variable track.", why=why, do="Use @variable_task(…).")
    return found
