"""One cell: method → artifact → per-example table → metrics → record."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mibench.core.errors import MethodError, MibenchError, StoreError, causes
from mibench.core.files import atomic_write
from mibench.core.specs import Track
from mibench.records.record import Cost, Problem, RunRecord, Volatile
from mibench.records.store import Store
from mibench.runner.cells.batch_sizes import free_memory, is_of_memory, of_at_most
from mibench.runner.cells.circuit import CIRCUIT
from mibench.runner.cells.floors import controlled
from mibench.runner.cells.limits import TimeUp, within
from mibench.runner.cells.looks import Looks
from mibench.runner.cells.work import CellRun, Found, Meters, Trade, provenance_of
from mibench.runner.dictionaries.cell import DICTIONARY
from mibench.runner.settings import RunSettings
from mibench.runner.tiny import board_of
from mibench.runner.variables.cell import VARIABLE

TRADES: Mapping[Track, Trade] = {
    Track.CIRCUIT: CIRCUIT,
    Track.VARIABLE: VARIABLE,
    Track.SAE: DICTIONARY,
}


def run_cell(work: CellRun, store: Store) -> RunRecord:
    """Run a cell and write its record, replacing one that is there.

    Where memory runs out, it is tried again with batches half as large, down to single pairs.

    Returns:
        The record as written; a failure is a record with the reason. A failure does not replace a good record.

    Raises:
        StoreError: The record cannot be read or written.
    """
    with tempfile.TemporaryDirectory(prefix="mibench-") as folder:
        artifact = Path(folder) / "artifact.safetensors"
        tried = _tried(work, store, artifact)
        found = tried.found
        record = RunRecord(
            cell=work.cell,
            status="ok" if found.problem is None else "failed",
            problem=found.problem,
            metrics=found.metrics,
            curves=found.curves,
            board=found.board or board_of(work.settings),
            dictionary=found.dictionary,
            looks_at_test=_looks(work, store),
            volatile=Volatile(
                cost=tried.meters.total(),
                discovery=_discovery(work, found, tried.meters),
                provenance=provenance_of(tried.settings, work.attempt),
            ),
        )
        if found.problem is not None:
            return _failed(record, store)
        if work.cell.track is Track.CIRCUIT:
            record = controlled(record, work.job, work.bench, work.settings, store)
        return store.write(record, found.tables, artifact=artifact if artifact.exists() else None)


def give_up(work: CellRun, why: str, store: Store) -> RunRecord:
    """Write the record of a cell that is not to be tried again; it does not replace a good one.

    Raises:
        StoreError: The record cannot be read or written.
    """
    do = "Look into its log in logs of the records; run the same command again to try it again."
    problem = Problem(what=f"{work.job.method.name} was given up.", why=why, do=do)
    made = Volatile(provenance=provenance_of(work.settings, work.attempt))
    looks, board = _looks(work, store), board_of(work.settings)
    return _failed(
        RunRecord(cell=work.cell, status="failed", problem=problem, board=board, looks_at_test=looks, volatile=made),
        store,
    )


@dataclass(frozen=True)
class _Tried:
    """What the last try of a cell gave, what it took, and the settings that it was made under."""

    found: Found
    meters: Meters
    settings: RunSettings


def _tried(work: CellRun, store: Store, artifact: Path) -> _Tried:
    """Try with smaller and smaller batches, as long as memory runs out, time is left and the model is as it was."""
    tried, limit = _Tried(Found(), Meters.of(work.bench), work.settings), work.settings.time_limit
    gradients = torch.is_grad_enabled()
    try:
        with within(limit, work.overdue):
            while True:
                tried = _Tried(Found(), Meters.of(work.bench), work.settings)
                found, of_memory = _guarded(work, tried.meters, store, artifact)
                if not of_memory or work.settings.batch_size == 1 or work.bench.spoiled:
                    return replace(tried, found=found)
                free_memory()
                work.bench.dictionaries.forget_data()
                work = replace(work, settings=of_at_most(work.settings, work.settings.batch_size // 2))
    except TimeUp:
        work.bench.spoiled = True  # it may have been stopped at anything
        return replace(tried, found=Found(problem=time_is_up(work.job.method.name, limit or 0.0)))
    finally:
        torch.set_grad_enabled(gradients)


def time_is_up(name: str, limit: float) -> Problem:
    """What to say of a cell whose time was up."""
    do = "Give a longer --time-limit, or the method less to do."
    return Problem(what=f"{name} took too long.", why=f"A cell may take {limit:g} seconds in this run.", do=do)


def _discovery(work: CellRun, found: Found, meters: Meters) -> Cost | None:
    if work.handed_in is not None:
        return None
    return found.discovery or meters.discovery.cost()


def unexpected(error: BaseException, name: str, do: str) -> MethodError:
    """What to say of an exception that the code of method ``name`` raised; ``do`` says where its traceback is."""
    memory = is_of_memory(error)
    return MethodError(
        f"{name} failed with {type(error).__name__}.",
        why=str(error)[:500] or "It gave no reason.",
        do="Use a smaller --batch-size." if memory else do,
    )


def _guarded(work: CellRun, meters: Meters, store: Store, artifact: Path) -> tuple[Found, bool]:
    """Save the artifact and measure it; a failure becomes a problem, a surprise with its traceback in a log.

    Returns:
        What was found, and whether memory ran out.
    """
    try:
        return _found(work, meters, artifact), False
    except StoreError:
        raise
    except MibenchError as error:
        _pass_on(error)
        problem, of_memory = Problem(what=error.what, why=error.why, do=error.do), is_of_memory(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a method may fail in any way, and the others go on
        _pass_on(error)
        log = Path("logs") / f"{work.cell.id}.txt"
        atomic_write(store.folder / log, traceback.format_exc())
        fault = unexpected(error, work.job.method.name, f"The traceback is in {log} of the records.")
        problem, of_memory = Problem(what=fault.what, why=fault.why, do=fault.do), is_of_memory(error)
    return Found(problem=problem), of_memory


def _pass_on(error: BaseException) -> None:
    """Raise again what ended the cell, where what was raised after it hides it."""
    if any(isinstance(one, TimeUp) for one in causes(error)):
        raise TimeUp from error


def _found(work: CellRun, meters: Meters, artifact: Path) -> Found:
    trade = TRADES[work.cell.track]
    with meters.discovery as meter:
        made = trade.make(work, meter)
    with meters.scoring as meter:
        found = trade.score(work, made, meter)
    if trade.save is not None:
        trade.save(made, artifact)
    return found


def _looks(work: CellRun, store: Store) -> int | None:
    counts = work.looks or Looks(store, [(work.job, work.cell.method)])
    return counts.of(work.job, work.cell)


def _failed(record: RunRecord, store: Store) -> RunRecord:
    """Write a failure; where there is a good record it is told and not written, so that the good one stays."""
    cell, problem = record.cell, record.problem
    if problem is None or not (store.has(cell) and store.read(cell).status == "ok"):
        return store.write(record)
    told = problem.model_copy(update={"do": f"{problem.do} The good record that was there is kept."})
    return record.model_copy(update={"problem": told})
