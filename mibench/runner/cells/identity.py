"""From a job on a workbench to its cell: everything that can change its number, by content."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from mibench.core.errors import UsageError
from mibench.core.specs import Ablation, Cell, MethodRef, Track
from mibench.runner.cells.workbench import Examples, Workbench
from mibench.runner.dictionaries.ground import dictionary_cell_with
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.runner.variables.ground import variable_cell_with

FROM_TRAIN = {Ablation.MEAN, Ablation.MEAN_POSITIONAL}
"""Ablations whose values are means over training examples."""


def cell_of(job: Job, bench: Workbench, settings: RunSettings) -> Cell:
    """The cell of a job.

    Raises:
        UsageError: Unknown task or split, or parameters that no record can hold.
        DataError: The examples cannot be used with this model.
    """
    return cell_with(method_of(job), job, bench, settings)


def method_of(job: Job) -> MethodRef:
    """The method of a job, as cells name it.

    Raises:
        UsageError: Its parameters are not JSON values.
    """
    return method_ref(
        name=job.method.name,
        version=job.method.version,
        params=dict(job.params) | job.method.content(job.params),
        seed=job.seed,
        code_digest=job.method.code_digest,
    )


def method_ref(**fields: Any) -> MethodRef:
    """A method reference from its fields.

    Raises:
        UsageError: The parameters are not JSON values.
    """
    try:
        return MethodRef(**fields)
    except ValidationError as error:
        raise UsageError(
            f"The parameters of {fields['name']} cannot be part of a record.",
            why=error.errors()[0]["msg"],
            do="Use finite numbers, texts, true and false, and lists and mappings of them.",
        ) from error


def cell_with(method: MethodRef, job: Job, bench: Workbench, settings: RunSettings) -> Cell:
    """The cell of a method reference on the job's task."""
    if job.track is Track.VARIABLE:
        return variable_cell_with(method, job, bench, settings)
    if job.track is Track.SAE:
        return dictionary_cell_with(method, job, bench, settings)
    evaluated = bench.examples(job.task, settings.split, settings.limit)
    sees = training(job, bench, settings), validation(job, bench, settings)
    return Cell(
        track=Track.CIRCUIT,
        task=bench.task_ref(job.task, evaluated, *sees),
        model=bench.model_ref,
        method=method,
        level=settings.level,
        ablation=settings.ablation,
        bos=evaluated.bos,
        convention=settings.convention,
    )


def training(job: Job, bench: Workbench, settings: RunSettings) -> Examples | None:
    """The training examples that a job's numbers depend on; None if on none."""
    if sees_train(job, settings):
        return bench.examples(job.task, "train", settings.train_examples)
    return None


def sees_train(job: Job, settings: RunSettings) -> bool:
    """Whether a job's numbers depend on training examples."""
    ablated = job.track is Track.CIRCUIT and settings.ablation in FROM_TRAIN
    return "train" in job.method.needs or ablated


def validation(job: Job, bench: Workbench, settings: RunSettings) -> Examples | None:
    """The validation examples that a job's method sees; None if none."""
    if "validation" in job.method.needs:
        return bench.examples(job.task, "validation", settings.train_examples)
    return None
