"""One cell: method → artifact → per-example table → metrics → record."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import save_scores
from mibench.core.errors import MethodError, MibenchError, StoreError
from mibench.core.files import atomic_write
from mibench.core.specs import Cell, MethodRef
from mibench.engine.base import constants_for
from mibench.engine.evaluate import Evaluation
from mibench.methods.view import CircuitView
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.records.record import CurvePoint, MetricValue, Problem, Provenance, RunRecord, Volatile
from mibench.records.store import Store
from mibench.runner.cells import FROM_TRAIN, training
from mibench.runner.floors import floors_of, with_floors
from mibench.runner.meter import Meter
from mibench.runner.observe import Observer
from mibench.runner.plan import FLOOR, Job
from mibench.runner.provenance import Setting, collect
from mibench.runner.settings import RunSettings
from mibench.runner.workbench import Workbench
from mibench.tracks.circuit import circuits_of, score_circuit

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
    """

    cell: Cell
    job: Job
    bench: Workbench
    settings: RunSettings
    observer: Observer
    handed_in: CircuitScores | None = None


def run_cell(work: CellRun, store: Store) -> RunRecord:
    """Run a cell and write its record, replacing one that is there.

    Returns:
        The record as written; a failure is a record with the reason.

    Raises:
        StoreError: The record cannot be read or written.
    """
    meter = Meter()
    with tempfile.TemporaryDirectory(prefix="mibench-") as folder:
        artifact = Path(folder) / "scores.safetensors"
        found = _guarded(work, meter, store, artifact)
        record = RunRecord(
            cell=work.cell,
            status="ok" if found.problem is None else "failed",
            problem=found.problem,
            metrics=found.metrics,
            curves=found.curves,
            looks_at_test=_looks_at_test(work, store),
            volatile=Volatile(cost=meter.cost(), provenance=_provenance(work.settings)),
        )
        return store.write(record, found.tables, artifact=artifact if found.problem is None else None)


def artifact_of(work: CellRun, meter: Meter) -> CircuitScores:
    """The artifact of a cell: handed in, or made by its method.

    Raises:
        MibenchError: It is unusable, or the method cannot do what was asked.
    """
    scores = work.handed_in if work.handed_in is not None else _run_method(work, meter)
    scores.validate()
    scores.check_model(work.bench.model.graph, work.bench.model.anatomy.d_model)
    if scores.level is not work.settings.level:
        raise MethodError(
            f"{work.job.method.name} scored {scores.level}s.",
            why=f"This run asks for {work.settings.level}s.",
            do=f"Use --level {scores.level}, or view.scores(array) in the method.",
        )
    return scores


def unexpected(error: BaseException, name: str, do: str) -> MethodError:
    """What to say of an exception that the code of method ``name`` raised; ``do`` says where its traceback is."""
    memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    return MethodError(
        f"{name} failed with {type(error).__name__}.",
        why=str(error)[:500] or "It gave no reason.",
        do="Use a smaller --batch-size." if memory else do,
    )


@dataclass(frozen=True)
class _Found:
    """What a cell came to: numbers and tables, or a problem."""

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    metrics: dict[str, MetricValue] = field(default_factory=dict)
    curves: dict[str, list[CurvePoint]] = field(default_factory=dict)
    problem: Problem | None = None


def _guarded(work: CellRun, meter: Meter, store: Store, artifact: Path) -> _Found:
    """Save the artifact and measure it; a failure becomes a problem, a surprise with its traceback in a log."""
    try:
        return _found(work, meter, store, artifact)
    except StoreError:
        raise
    except MibenchError as error:
        fault = error
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a method may fail in any way, and the others go on
        log = Path("logs") / f"{work.cell.id}.txt"
        atomic_write(store.folder / log, traceback.format_exc())
        fault = unexpected(error, work.job.method.name, f"The traceback is in {log} of the records.")
    return _Found(problem=Problem(what=fault.what, why=fault.why, do=fault.do))


def _found(work: CellRun, meter: Meter, store: Store, artifact: Path) -> _Found:
    with meter:
        scores = artifact_of(work, meter)
        tables = _score(work, scores, meter)
    save_scores(scores, artifact)
    metrics, curves = circuit_metrics(*tables)
    frames = {"examples": tables.table, "endpoints": tables.endpoints}
    return _Found(frames, with_floors(metrics, _floors(work, store, metrics)), curves)


def _run_method(work: CellRun, meter: Meter) -> CircuitScores:
    job, bench, settings = work.job, work.bench, work.settings
    sees_train = "train" in job.method.needs
    view = CircuitView(
        model=bench.model,
        train=bench.examples(job.task, "train", settings.train_examples).pairs if sees_train else (),
        validation=bench.examples(job.task, "validation", settings.train_examples).pairs if sees_train else (),
        level=settings.level,
        seed=job.seed or 0,
        batch_size=settings.batch_size,
        counter=meter,
        progress=work.observer.stage("discover"),
    )
    found = _on_trial(work, view) if job.method.code_digest else job.method.function(view, **job.params)
    if not isinstance(found, CircuitScores):
        raise MethodError(
            f"{job.method.name} did not return circuit scores.",
            why=f"It returned a {type(found).__name__}.",
            do="Return view.scores(array) from the method.",
        )
    return replace(found, method=job.method.name, params=job.params)


def _on_trial(work: CellRun, view: CircuitView) -> object:
    """Run a user's method, and see to it that the next cell gets the model as it was."""
    before = work.bench.state()
    try:
        return work.job.method.function(view, **work.job.params)
    finally:
        work.bench.spoiled = work.bench.state() != before
        if work.bench.spoiled:
            raise MethodError(
                f"{work.job.method.name} changed the model.",
                why="After it ran, weights differ or hooks are left on the modules.",
                do="Work on a copy, and remove hooks; the next cell loads the model afresh.",
            )


def _score(work: CellRun, scores: CircuitScores, meter: Meter) -> CircuitTables:
    bench, settings = work.bench, work.settings
    pairs = bench.examples(work.job.task, settings.split, settings.limit).pairs
    train = training(work.job, bench, settings)
    means_from = pairs if train is None else train.pairs
    constants = constants_for(bench.model, settings.ablation, means_from, settings.batch_size)
    meter.examples(len(pairs))
    return score_circuit(
        bench.model,
        circuits_of(scores, settings.convention),
        pairs,
        Evaluation(constants, settings.batch_size),
        meter,
        work.observer.stage("score"),
    )


def _floors(work: CellRun, store: Store, metrics: dict[str, MetricValue]) -> Mapping[str, float | None]:
    """Floors from this run's random cells, which differ from its own in the method only; they have none."""
    n, own = work.settings.floor_draws, work.cell
    if _is_draw(own.method, n):
        return dict.fromkeys(metrics)
    draws = (record for record in store.query() if _is_draw(record.cell.method, n))
    return floors_of([record for record in draws if _ground(record.cell) == _ground(own)])


def _is_draw(method: MethodRef, n: int) -> bool:
    """Whether it is one of the first ``n`` draws of the built-in random method, not somebody's namesake."""
    built_in = method.name == FLOOR and method.code_digest is None and method.artifact_digest is None
    return built_in and method.seed is not None and method.seed < n


def _ground(cell: Cell) -> tuple[object, ...]:
    task = (cell.task.name, cell.task.version, cell.task.split, cell.task.digest)
    # Training examples set the means of an ablation; otherwise they are a matter of the method.
    means = cell.task.train_digest if cell.ablation in FROM_TRAIN else None
    return (*task, means, cell.model, cell.level, cell.ablation, cell.bos, cell.convention)


def _looks_at_test(work: CellRun, store: Store) -> int | None:
    """How often this method was scored on this test split, this time included; a repeat of a cell is no new look."""
    if work.settings.split != "test":
        return None
    own = work.cell
    if store.has(own):
        return store.read(own).looks_at_test
    looks = (record.cell for record in store.query() if record.cell.task.split == "test")
    same = (
        cell
        for cell in looks
        if (cell.task.name, cell.model.name, cell.method.name) == (own.task.name, own.model.name, own.method.name)
    )
    return 1 + sum(1 for _ in same)


def _provenance(settings: RunSettings) -> Provenance:
    return collect(Setting(settings.device, settings.batch_size, settings.executor, TOLERANCE))
