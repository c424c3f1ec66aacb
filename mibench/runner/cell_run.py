"""One cell: method → artifact → per-example table → metrics → record."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

from mibench.core.errors import MethodError, MibenchError, StoreError
from mibench.core.files import atomic_write
from mibench.core.hashing import digest
from mibench.core.specs import Cell, Track
from mibench.records.record import Cost, Problem, RunRecord, Volatile
from mibench.records.store import Store
from mibench.runner.circuit_cell import CIRCUIT
from mibench.runner.dictionary_cell import DICTIONARY
from mibench.runner.floors import controlled
from mibench.runner.variable_cell import VARIABLE
from mibench.runner.work import CellRun, Found, Meters, Trade, provenance_of

TRADES: Mapping[Track, Trade] = {
    Track.CIRCUIT: CIRCUIT,
    Track.VARIABLE: VARIABLE,
    Track.SAE: DICTIONARY,
}


def run_cell(work: CellRun, store: Store) -> RunRecord:
    """Run a cell and write its record, replacing one that is there.

    Returns:
        The record as written; a failure is a record with the reason. A failure does not replace a good record.

    Raises:
        StoreError: The record cannot be read or written.
    """
    meters = Meters()
    with tempfile.TemporaryDirectory(prefix="mibench-") as folder:
        artifact = Path(folder) / "artifact.safetensors"
        found = _guarded(work, meters, store, artifact)
        record = RunRecord(
            cell=work.cell,
            status="ok" if found.problem is None else "failed",
            problem=found.problem,
            metrics=found.metrics,
            curves=found.curves,
            board=found.board,
            dictionary=found.dictionary,
            looks_at_test=_looks_at_test(work, store),
            volatile=Volatile(
                cost=meters.total(),
                discovery=_discovery(work, found, meters),
                provenance=provenance_of(work.settings),
            ),
        )
        if found.problem is not None:
            return _beside_good(record) if _has_good(work.cell, store) else store.write(record)
        if work.cell.track is Track.CIRCUIT:
            record = controlled(record, work.job, work.bench, work.settings, store)
        return store.write(record, found.tables, artifact=artifact if artifact.exists() else None)


def _discovery(work: CellRun, found: Found, meters: Meters) -> Cost | None:
    if work.handed_in is not None:
        return None
    return found.discovery or meters.discovery.cost()


def unexpected(error: BaseException, name: str, do: str) -> MethodError:
    """What to say of an exception that the code of method ``name`` raised; ``do`` says where its traceback is."""
    memory = isinstance(error, MemoryError) or "out of memory" in str(error).lower()
    return MethodError(
        f"{name} failed with {type(error).__name__}.",
        why=str(error)[:500] or "It gave no reason.",
        do="Use a smaller --batch-size." if memory else do,
    )


def _guarded(work: CellRun, meters: Meters, store: Store, artifact: Path) -> Found:
    """Save the artifact and measure it; a failure becomes a problem, a surprise with its traceback in a log."""
    try:
        return _found(work, meters, artifact)
    except StoreError:
        raise
    except MibenchError as error:
        fault = error
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a method may fail in any way, and the others go on
        log = Path("logs") / f"{work.cell.id}.txt"
        atomic_write(store.folder / log, traceback.format_exc())
        fault = unexpected(error, work.job.method.name, f"The traceback is in {log} of the records.")
    return Found(problem=Problem(what=fault.what, why=fault.why, do=fault.do))


def _found(work: CellRun, meters: Meters, artifact: Path) -> Found:
    trade = TRADES[work.cell.track]
    with meters.discovery as meter:
        made = trade.make(work, meter)
    with meters.scoring as meter:
        found = trade.score(work, made, meter)
    if trade.save is not None:
        trade.save(made, artifact)
    return found


def _looks_at_test(work: CellRun, store: Store) -> int | None:
    """How many variants of this method were scored on this test split, this one included; seeds are no variants."""
    if work.settings.split != "test":
        return None
    own = work.cell
    if store.has(own):
        known = store.read(own).looks_at_test
        if known is not None:
            return known
    seen = {_variant(record.cell) for record in store.beside(own) if _same_test(record.cell, own)}
    return len(seen | {_variant(own)})


def _same_test(one: Cell, own: Cell) -> bool:
    names = [None if cell.variable is None else cell.variable.name for cell in (one, own)]
    return one.task.split == "test" and names[0] == names[1]


def _beside_good(failed: RunRecord) -> RunRecord:
    """A failure that is told and not written, so that the good record of the cell stays."""
    problem = failed.problem
    if problem is None:
        return failed
    told = problem.model_copy(update={"do": f"{problem.do} The good record that was there is kept."})
    return failed.model_copy(update={"problem": told})


def _has_good(cell: Cell, store: Store) -> bool:
    return store.has(cell) and store.read(cell).status == "ok"


def _variant(cell: Cell) -> str:
    return digest(cell.method.model_copy(update={"seed": None}).model_dump(mode="json"))
