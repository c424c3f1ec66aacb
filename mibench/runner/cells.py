"""From a job on a workbench to its cell: everything that can change its number, by content."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from mibench.core.errors import UsageError
from mibench.core.specs import Ablation, Cell, MethodRef, Track
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.runner.workbench import Examples, Workbench

FROM_TRAIN = {Ablation.MEAN, Ablation.MEAN_POSITIONAL}
"""Ablations whose values are means over training examples."""


def cell_of(job: Job, bench: Workbench, settings: RunSettings) -> Cell:
    """The cell of a job.

    Raises:
        UsageError: Unknown task or split, or parameters that no record can hold.
        DataError: The examples cannot be used with this model.
    """
    method = method_ref(
        name=job.method.name,
        version=job.method.version,
        params=dict(job.params),
        seed=job.seed,
        code_digest=job.method.code_digest,
    )
    return cell_with(method, job.task, bench, settings, train=training(job, bench, settings))


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


def cell_with(method: MethodRef, task: str, bench: Workbench, settings: RunSettings, *, train: Examples | None) -> Cell:
    """The cell of a method reference on a task; ``train``: examples that its numbers depend on."""
    examples = bench.examples(task, settings.split, settings.limit)
    return Cell(
        track=Track.CIRCUIT,
        task=bench.task_ref(task, settings.split, settings.limit, train),
        model=bench.model_ref,
        method=method,
        level=settings.level,
        ablation=settings.ablation,
        bos=examples.bos,
        convention=settings.convention,
    )


def training(job: Job, bench: Workbench, settings: RunSettings) -> Examples | None:
    """The training examples that a job's numbers depend on; None if on none."""
    if "train" in job.method.needs or settings.ablation in FROM_TRAIN:
        return bench.examples(job.task, "train", settings.train_examples)
    return None
