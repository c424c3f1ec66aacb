"""Many artifact files: those that can be read are scored, the others are problems of the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from mibench.core.errors import MibenchError
from mibench.core.specs import Track
from mibench.methods.method import Method
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.tasks.sae.dictionary_task import DICTIONARY_TASKS

Artifact = TypeVar("Artifact")
Problems = list[tuple[Job, MibenchError]]


def asks_for_dictionaries(settings: RunSettings) -> bool:
    """Whether the tasks of a run are of the SAE track, so that its files are dictionaries, broken ones included."""
    tasks = [cell.task for cell in settings.chosen_cells] or settings.task
    return bool(tasks) and all(task in DICTIONARY_TASKS.components for task in tasks)


def read_all(
    paths: Sequence[Path], load: Callable[[Path], Artifact], settings: RunSettings
) -> tuple[list[tuple[Path, Artifact]], Problems]:
    """Read files; what cannot be read becomes a problem of its own.

    Args:
        paths: The files.
        load: Reads one.
        settings: The run.

    Raises:
        MibenchError: None can be read; that of the first.
    """
    found: list[tuple[Path, Artifact]] = []
    problems: Problems = []
    for path in paths:
        try:
            found.append((path, load(path)))
        except MibenchError as error:
            problems.append((_job(path, settings), error))
    if problems and not found:
        raise problems[0][1]
    return found, problems


def _job(path: Path, settings: RunSettings) -> Job:
    """A job that stands for a file that was never scored."""
    track = Track.SAE if asks_for_dictionaries(settings) else Track.CIRCUIT
    stands_for = Method(lambda view: view, name=path.name, track=track.value, needs=())
    return Job(", ".join(settings.task), ", ".join(settings.model), stands_for, {}, None)
