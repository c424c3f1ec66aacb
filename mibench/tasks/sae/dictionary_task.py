"""What a task of the SAE track is, how one registers itself, and how it is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, Required, TypedDict, Unpack

from mibench.core.errors import DataError
from mibench.core.registry import Registry

DICTIONARY_TASKS = Registry(kind="dictionary_task", package="mibench.tasks")
SPLITS = ("validation", "test")


class Declaration(TypedDict, total=False):
    """What a task declares; literals, since the registry parses them.

    Attributes:
        name: What users write.
        version: Raised when its data or what is measured changes.
        family: Module of ``mibench.tracks.sae`` that scores it.
        model: Whether it needs a language model; without one, the data are generated.
        citation: Where it comes from.
        licence: Of its data.
        bos: ``prepend`` where its own prompts begin with BOS whatever the setting says.
    """

    name: Required[str]
    version: Required[int]
    family: Required[str]
    model: NotRequired[bool]
    citation: NotRequired[str]
    licence: NotRequired[str]
    bos: NotRequired[Literal["prepend"]]


@dataclass(frozen=True)
class DictionaryTask:
    """A task: its settings, which say what data and how much, and the family that scores it.

    Attributes:
        settings: A frozen dataclass of the family's own.
        description: One line.
        name, version, family, model, citation, licence, bos: As in `Declaration`.
    """

    settings: Any
    description: str
    name: str
    version: int
    family: str
    model: bool = True
    citation: str = ""
    licence: str = ""
    bos: Literal["prepend"] | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits that can be evaluated."""
        return SPLITS


def dictionary_task(**declared: Unpack[Declaration]) -> Callable[[Callable[[], Any]], DictionaryTask]:
    """Register a function that gives the settings of a task."""

    def make(settings: Callable[[], Any]) -> DictionaryTask:
        description = (settings.__doc__ or "").strip().split("\n")[0]
        return DictionaryTask(settings(), description, **declared)

    return make


def is_generated(name: str) -> bool:
    """Whether a task, or what a dictionary names in place of its model, is one whose data are generated."""
    return name in DICTIONARY_TASKS.components and not load_dictionary_task(name).model


def load_dictionary_task(ref: str) -> DictionaryTask:
    """Return the task called ``ref``.

    Raises:
        UsageError: No task of the SAE track has that name.
        DataError: What is registered under it is no such task.
    """
    found = DICTIONARY_TASKS.load(ref)
    if not isinstance(found, DictionaryTask):
        why = f"It is a {type(found).__name__}."
        raise DataError(f"'{ref}' is not a task of the SAE track.", why=why, do="Use @dictionary_task(…).")
    return found
