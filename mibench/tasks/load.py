"""Find a task by its name, or read one from a local pairs file."""

from __future__ import annotations

from pathlib import Path

from mibench.core.errors import DataError, UsageError
from mibench.core.files import existing_file, is_file
from mibench.core.names import did_you_mean
from mibench.core.registry import Component, Registry
from mibench.tasks.encode import TextEncoder
from mibench.tasks.pairs import Pair, read_pairs
from mibench.tasks.task import Task

REGISTRY = Registry(kind="task", package="mibench.tasks")


def list_tasks() -> list[Component]:
    """Return what every registered task declares, sorted by name; imports none of them."""
    return list(REGISTRY.components.values())


def load_task(ref: str) -> Task:
    """Return the task called ``ref``, or the task made of the pairs file at ``ref``.

    Raises:
        UsageError: No task has that name, or there is no such file.
        DataError: The pairs file cannot be used.
    """
    if ref in REGISTRY.components:
        found = REGISTRY.load(ref)
        if not isinstance(found, Task):
            raise DataError(f"'{ref}' is not a task.", why=f"It is a {type(found).__name__}.", do="Use @task(…).")
        return found
    path = Path(ref)
    if path.suffix == ".jsonl":
        return _local_task(existing_file(path))
    if is_file(path):
        raise UsageError(f"{ref} is not a pairs file.", why="Its name does not end in .jsonl.", do="Rename it.")
    if ref in Registry(kind="variable_task", package="mibench.tasks").components:
        raise UsageError(
            f"'{ref}' is no task of the circuit track.",
            why="It has a causal model, for methods that look for its variables.",
            do=f"See mibench tasks causal {ref}, or use a method of the variable track.",
        )
    raise UsageError(
        f"Unknown task '{ref}'.",
        why="No task has that name, and it is not the path of a .jsonl file.",
        do=did_you_mean(ref, REGISTRY.names()),
    )


def _local_task(path: Path) -> Task:
    pairs = tuple(read_pairs(path))

    def source(split: str, encoder: TextEncoder | None) -> list[Pair]:  # noqa: ARG001
        return list(pairs)

    return Task(
        name=_local_name(path.stem),
        version=1,
        track="circuit",
        citation="not given: a local file",
        licence="not given: a local file",
        counterfactual="as given in the file",
        metric=pairs[0].metric,
        source=source,
        description=f"Pairs of {path.name}.",
        notes="Train, validation and test are the same file: its scores are not held out.",
    )


def _local_name(stem: str) -> str:
    """Keep a file apart from the registered task whose name it has: two data sets, two columns."""
    return f"local/{stem}" if stem in REGISTRY.components else stem
