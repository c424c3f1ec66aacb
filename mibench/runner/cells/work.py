"""A cell at work: what it takes to run it, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from mibench.core.errors import MethodError
from mibench.core.specs import Cell
from mibench.engine.batches import MAX_TOKENS
from mibench.records.record import Cost, CurvePoint, DictionaryFacts, MetricValue, Problem, Provenance
from mibench.runner.cells.looks import Looks
from mibench.runner.cells.meter import Meter
from mibench.runner.cells.workbench import Workbench
from mibench.runner.observe import Observer
from mibench.runner.plan import Job
from mibench.runner.provenance import Setting, collect
from mibench.runner.settings import RunSettings

TOLERANCE = 1e-3
"""Declared: how far batch size, threads, device and library versions may move a float32 number."""


@dataclass(frozen=True)
class CellRun:
    """A cell and what it takes to run it.

    Attributes:
        cell: The cell.
        job: The job it came from.
        bench: Model and examples.
        settings: The run.
        observer: Told of every stage.
        handed_in: The artifact, where there is one already; None: the method makes it.
        looks: Counts looks at the test split for the whole plan; None: the cell is a plan of its own.
        attempt: Which try of the cell it is, after workers were lost at it.
        overdue: Ends the process where the cell does not stop when its time is up; None: it is waited for.
    """

    cell: Cell
    job: Job
    bench: Workbench
    settings: RunSettings
    observer: Observer
    handed_in: Any = None
    looks: Looks | None = None
    attempt: int = 1
    overdue: Callable[[], None] | None = None


@dataclass(frozen=True)
class Found:
    """What a cell came to: numbers and tables, or a problem.

    Attributes:
        tables: Tables by name.
        metrics: Numbers by name.
        curves: Curves by name.
        board: Board of its own, where it is not ranked with the others.
        dictionary: What a scored dictionary is.
        discovery: What making the artifact took, where that was not now.
        problem: Why there are no numbers.
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    metrics: dict[str, MetricValue] = field(default_factory=dict)
    curves: dict[str, list[CurvePoint]] = field(default_factory=dict)
    board: str | None = None
    dictionary: DictionaryFacts | None = None
    discovery: Cost | None = None
    problem: Problem | None = None


@dataclass(frozen=True)
class Trade:
    """How the cells of a track are run.

    Attributes:
        make: The artifact of a cell: handed in, or made by its method; checked.
        score: Tables and numbers of an artifact.
        save: Write an artifact to a file beside the record; None: it is too large, and its recipe gives it again.
    """

    make: Callable[[CellRun, Meter], Any]
    score: Callable[[CellRun, Any, Meter], Found]
    save: Callable[[Any, Path], None] | None


@dataclass(frozen=True)
class Meters:
    """What the method takes, and what scoring takes."""

    discovery: Meter
    scoring: Meter

    @classmethod
    def of(cls, bench: Workbench) -> Meters:
        """Meters of work on a model, where it computes."""
        return cls(Meter(bench.places), Meter(bench.places))

    def total(self) -> Cost:
        """Both together; memory is the higher of the two."""
        first, second = self.discovery.cost(), self.scoring.cost()
        return Cost(
            seconds=first.seconds + second.seconds,
            cpu_seconds=(first.cpu_seconds or 0.0) + (second.cpu_seconds or 0.0),
            peak_bytes=max(first.peak_bytes or 0, second.peak_bytes or 0) or None,
            forward_passes=first.forward_passes + second.forward_passes,
            backward_passes=first.backward_passes + second.backward_passes,
            examples=second.examples,
        )


def call_method(work: CellRun, view: object) -> object:
    """Call the method of a cell; of a user's method, see to it that the next cell gets the model as it was.

    Raises:
        MethodError: The method changed the model.
    """
    method, params = work.job.method, work.job.params
    if not method.code_digest:
        return method.function(view, **params)
    before, gradients, spoiled = work.bench.state(), torch.is_grad_enabled(), work.bench.spoiled
    work.bench.spoiled = True  # until it is known that it is not
    try:
        return method.function(view, **params)
    finally:
        changed = work.bench.state() != before
        torch.set_grad_enabled(gradients)
        work.bench.spoiled = spoiled or changed
        if changed:
            raise MethodError(
                f"{method.name} changed the model.",
                why="After it ran, weights or torch's settings differ, or hooks are left on the modules.",
                do="Work on a copy, and undo such changes; the next cell loads the model afresh.",
            )


def batching(settings: RunSettings) -> dict[str, Any]:
    """How examples are put into batches; it changes rounding only."""
    tokens = settings.batch_tokens or MAX_TOKENS
    return {"batch_size": settings.batch_size, "padded": settings.padded, "batch_tokens": tokens}


def provenance_of(settings: RunSettings, attempt: int = 1) -> Provenance:
    """Where and how a record of this run is made."""
    device, executor = settings.device, settings.executor
    return collect(
        Setting(device=device, executor=executor, attempt=attempt, tolerance=TOLERANCE, **batching(settings))
    )
