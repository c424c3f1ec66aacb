"""One cell: method → artifact → per-example table → metrics → record."""

from __future__ import annotations

import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import save_scores
from mibench.core.errors import MethodError, MibenchError
from mibench.core.files import atomic_write
from mibench.core.specs import Cell
from mibench.engine.base import constants_for
from mibench.engine.evaluate import Evaluation
from mibench.methods.view import CircuitView
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.records.record import Problem, Provenance, RunRecord, Volatile
from mibench.records.store import Store
from mibench.runner.cells import training
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
    with Meter() as meter:
        outcome = _guarded(work, meter, store)
    record = RunRecord(
        cell=work.cell,
        status="failed" if isinstance(outcome, Problem) else "ok",
        problem=outcome if isinstance(outcome, Problem) else None,
        looks_at_test=_looks_at_test(work, store),
        volatile=Volatile(cost=meter.cost(), provenance=_provenance(work.settings)),
    )
    if isinstance(outcome, Problem):
        return store.write(record)
    scores, tables = outcome
    metrics, curves = circuit_metrics(*tables)
    # Random rankings are the floor, so they have none themselves.
    is_floor = work.cell.method.name == FLOOR
    metrics = with_floors(metrics, dict.fromkeys(metrics) if is_floor else _floors(work.cell, store))
    record = record.model_copy(update={"metrics": metrics, "curves": curves})
    with tempfile.TemporaryDirectory(prefix="mibench-") as folder:
        artifact = Path(folder) / "scores.safetensors"
        save_scores(scores, artifact)
        frames = {"examples": tables.table, "endpoints": tables.endpoints}
        return store.write(record, frames, artifact=artifact)


def artifact_of(work: CellRun, meter: Meter) -> CircuitScores:
    """The artifact of a cell: handed in, or made by its method.

    Raises:
        MibenchError: It is unusable, or the method cannot do what was asked.
    """
    scores = work.handed_in if work.handed_in is not None else _run_method(work, meter)
    scores.validate()
    scores.check_model(work.bench.model.graph, work.bench.model.anatomy.d_model)
    return scores


def _guarded(work: CellRun, meter: Meter, store: Store) -> tuple[CircuitScores, CircuitTables] | Problem:
    """Artifact and tables; a failure becomes a problem, a surprise with its traceback in a log."""
    try:
        scores = artifact_of(work, meter)
        return scores, _score(work, scores, meter)
    except MibenchError as error:
        return Problem(what=error.what, why=error.why, do=error.do)
    except Exception as error:  # noqa: BLE001 - a method may fail in any way, and the other cells go on
        log = store.folder / "logs" / f"{work.cell.id}.txt"
        atomic_write(log, traceback.format_exc())
        memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
        return Problem(
            what=f"{work.job.method.name} failed with {type(error).__name__}.",
            why=str(error)[:500] or "It gave no reason.",
            do="Use a smaller --batch-size." if memory else f"The traceback is in {log}.",
        )


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
    found = job.method.function(view, **job.params)
    if not isinstance(found, CircuitScores):
        raise MethodError(
            f"{job.method.name} did not return circuit scores.",
            why=f"It returned a {type(found).__name__}.",
            do="Return view.scores(array) from the method.",
        )
    return found


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


def _floors(own: Cell, store: Store) -> dict[str, float]:
    """Floors from the random cells of this store that differ from ``own`` in the method only."""
    records = (record for record in store.query() if record.cell.method.name == FLOOR)
    return floors_of([record for record in records if _ground(record.cell) == _ground(own)])


def _ground(cell: Cell) -> tuple[object, ...]:
    task = (cell.task.name, cell.task.version, cell.task.split, cell.task.digest)
    return (*task, cell.model, cell.level, cell.ablation, cell.bos, cell.convention)


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
