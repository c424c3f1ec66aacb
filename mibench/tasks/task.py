"""What a task is, and how one registers itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NotRequired, Protocol, TypedDict, Unpack

from mibench.core.errors import DataError, UsageError
from mibench.core.hashing import digest
from mibench.core.names import unknown
from mibench.tasks.encode import TextEncoder
from mibench.tasks.pairs import Metric, Pair

SPLITS = ("train", "validation", "test")


class Source(Protocol):
    """Gives a split's pairs in order; leaves out those that ``encoder`` cannot keep aligned."""

    def __call__(self, split: str, encoder: TextEncoder | None) -> list[Pair]:
        """Return all usable pairs of ``split``."""


class TaskFields(TypedDict):
    """What a task declares; the meaning of each is in :class:`Task`."""

    name: str
    version: int
    track: Literal["circuit", "variable", "sae"]
    citation: str
    licence: str
    counterfactual: str
    metric: Metric
    splits: NotRequired[tuple[str, ...]]
    notes: NotRequired[str]


@dataclass(frozen=True)
class Task:
    """Examples with counterfactuals, and what to measure on them.

    Attributes:
        name: What users write.
        version: Raised when the examples of a split change.
        track: Which kind of artifact it is for.
        citation: Whom to cite for the data.
        licence: Licence of the data (SPDX).
        counterfactual: How the counterfactual prompts are made.
        metric: Default metric of its pairs.
        source: Gives the pairs of a split.
        splits: Names of its splits.
        description: One line.
        notes: What a reader of its numbers has to know: how it was made, what is not verified.
    """

    name: str
    version: int
    track: str
    citation: str
    licence: str
    counterfactual: str
    metric: Metric
    source: Source
    splits: tuple[str, ...] = SPLITS
    description: str = ""
    notes: str = ""

    def pairs(self, split: str, limit: int | None = None, encoder: TextEncoder | None = None) -> list[Pair]:
        """Return the first ``limit`` usable pairs of ``split``, in order.

        Args:
            split: One of :attr:`splits`.
            limit: At least 1; None for all. Counted after pairs were left out.
            encoder: Tokenizer of the model; with it, pairs that it would not keep aligned are left out.

        Raises:
            UsageError: Unknown split, or a limit below 1.
            DataError: The data cannot be read, or nothing is left.
        """
        if split not in self.splits:
            raise unknown("split", split, self.splits)
        if limit is not None and limit < 1:
            raise UsageError(f"A limit of {limit} is not possible.", why="It is below 1.", do="Give 1 or more.")
        kept = self.source(split, encoder)[:limit]
        if not kept:
            raise DataError(
                f"Task '{self.name}' has no usable examples in '{split}'.",
                why="The split is empty, or this tokenizer splits the names of every example unevenly.",
                do="Use another model or task.",
            )
        return kept

    def digest(self, split: str, limit: int | None = None, encoder: TextEncoder | None = None) -> str:
        """Return the sha256 of exactly the pairs that :meth:`pairs` returns for the same arguments."""
        return pairs_digest(self.pairs(split, limit, encoder))


def pairs_digest(pairs: list[Pair]) -> str:
    """Return the sha256 over the canonical JSON of ``pairs``, in order."""
    return digest([pair.as_json() for pair in pairs])


def task(**fields: Unpack[TaskFields]) -> Callable[[Source], Task]:
    """Register a function that gives a split's pairs as a :class:`Task`.

    The arguments must be literals: the registry reads them by parsing the file. The description is the
    first line of the function's docstring.
    """

    def make(source: Source) -> Task:
        description = (source.__doc__ or "").strip().split("\n")[0]
        return Task(source=source, description=description, **fields)

    return make
