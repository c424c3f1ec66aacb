"""What every method of a run is run on: tasks on models, and what is looked for, or where, there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mibench.core.errors import UsageError
from mibench.core.specs import Track
from mibench.runner.settings import RunSettings
from mibench.tasks.load import REGISTRY, load_task
from mibench.tasks.sae.dictionary_task import DICTIONARY_TASKS, DictionaryTask, is_generated, load_dictionary_task
from mibench.tasks.task import Task
from mibench.tasks.variable_task import VARIABLE_TASKS, VariableTask, load_variable_task

NO_MODEL = "none"
"""In place of a model, for tasks whose data are generated."""


TASK_OF: dict[Track, Callable[[str], Task | VariableTask | DictionaryTask]] = {
    Track.CIRCUIT: load_task,
    Track.VARIABLE: load_variable_task,
    Track.SAE: load_dictionary_task,
}
"""How a task of each track is loaded by its name."""


@dataclass(frozen=True)
class Ground:
    """One task on one model.

    Attributes:
        model: Reference of the model.
        task: Reference of the task.
        variable: The causal variable, in the variable track.
        hook: Where a dictionary reads, in the SAE track; None: the default of the model.
    """

    model: str
    task: str
    variable: str | None = None
    hook: str | None = None


def grounds(settings: RunSettings, track: Track) -> list[Ground]:
    """The grounds of a run, model by model.

    Raises:
        UsageError: A task is not one of the track, or does not have a variable that is asked for.
    """
    if track is Track.SAE:
        return _of_dictionaries(settings)
    return [
        Ground(model, task, variable)
        for model in settings.model
        for task in settings.task
        for variable in (_variables(task, settings) if track is Track.VARIABLE else (None,))
    ]


def load_task_of(ref: str, track: Track) -> Task | VariableTask | DictionaryTask:
    """The task of a track called ``ref``.

    Raises:
        UsageError: The track has no such task; another may have.
        DataError: It cannot be used.
    """
    try:
        return TASK_OF[track](ref)
    except UsageError as error:
        names = {Track.CIRCUIT: REGISTRY, Track.VARIABLE: VARIABLE_TASKS, Track.SAE: DICTIONARY_TASKS}
        others = [other.value for other, tasks in names.items() if other is not track and ref in tasks.components]
        if not others or Track.SAE not in {track, *others}:
            raise
        raise UsageError(
            f"{ref} is no task of the {track} track.",
            why=f"It is of the {' and '.join(others)} track, and what is to be scored is of the {track} track.",
            do="Give a task of that track (mibench list tasks), or a method or file of the other.",
        ) from error


def check_places(settings: RunSettings) -> None:
    """Refuse a hook point or a model where all data are generated, so that it would be ignored.

    Raises:
        UsageError: There is one.
    """
    if settings.cells or not all(is_generated(task) for task in settings.task):
        return
    stated = {"hook": bool(settings.hook), "model": "model" in settings.model_fields_set}
    if settings.model == [NO_MODEL]:
        stated["model"] = False
    for name in [name for name, given in stated.items() if given]:
        raise UsageError(
            f"--{name} means nothing here.",
            why=f"The data of {' and '.join(settings.task)} are generated: there is no model.",
            do="Leave it out.",
        )


def _of_dictionaries(settings: RunSettings) -> list[Ground]:
    """Tasks at hook points; a task whose data are generated comes once, without a model."""
    found = [
        Ground(model, task, hook=hook) if _reads_model(task) else Ground(NO_MODEL, task)
        for model in settings.model
        for hook in settings.hook or (None,)
        for task in settings.task
    ]
    return list(dict.fromkeys(found))


def _reads_model(task: str) -> bool:
    found = load_task_of(task, Track.SAE)
    return isinstance(found, DictionaryTask) and found.model


def _variables(task: str, settings: RunSettings) -> tuple[str, ...]:
    """The variables that a task is asked for: those of the settings that it has, all where none is given."""
    known = load_variable_task(task)
    for variable in settings.variable:
        known.parts_of(variable)
    return tuple(settings.variable) or known.variables
