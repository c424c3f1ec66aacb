"""Run the cell of a record again, from the record alone, and say whether it gives the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from mibench.core.errors import MibenchError, StoreError
from mibench.records.confirmation import Confirmation
from mibench.records.difference import Difference, cell_differences
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.again.agreement import Agreement, agreement
from mibench.runner.again.as_made import settings_apart, threads_for, with_threads
from mibench.runner.again.remake import Here, Places, remake
from mibench.runner.cells.run import run_cell
from mibench.runner.cells.work import TOLERANCE
from mibench.runner.execute import Benches
from mibench.runner.observe import Observer
from mibench.runner.provenance import Setting, collect
from mibench.runner.settings import RunSettings

Outcome = Literal["match", "drift", "mismatch", "cannot"]

_MEANINGS = {
    "task.version": "the task has another version",
    "task.digest": "the evaluated examples are others",
    "task.train_digest": "the training examples are others",
    "task.validation_digest": "the validation examples are others",
    "model.digest": "the model's weights, configuration or vocabulary are others",
    "method.version": "the method has another version",
    "method.code_digest": "the code of the method is another",
    "method.artifact_digest": "the artifact is not the one that was scored",
}


@dataclass(frozen=True)
class Reproduction:
    """What came of running a cell again.

    Attributes:
        record: The record.
        outcome: ``cannot``: it cannot be reproduced here.
        problem: Why it cannot.
        differences: What fixes the numbers and is another here.
        agreement: How the repeat agrees; None where there is none.
        repeat: Record of the repeat, likewise.
        apart: What may move a number and is another here than where the record was made.
        threads: How many threads the cell was run again with; not at all if it was not.
    """

    record: RunRecord
    outcome: Outcome
    problem: MibenchError | None = None
    differences: tuple[Difference, ...] = ()
    agreement: Agreement | None = None
    repeat: RunRecord | None = None
    apart: tuple[Difference, ...] = ()
    threads: int | None = None

    @property
    def passed(self) -> bool:
        """Whether the record is confirmed."""
        return self.outcome in {"match", "drift"}

    @property
    def confirmation(self) -> Confirmation | None:
        """What to write beside the records; None: nothing was run."""
        made = None if self.repeat is None else self.repeat.volatile.provenance
        if self.agreement is None or made is None:
            return None
        largest = self.agreement.largest
        return Confirmation(
            record=self.record.cell.id,
            tables={name: ref.sha256 for name, ref in self.record.tables.items()},
            verdict=self.agreement.verdict,
            difference=0.0 if largest is None else largest.difference,
            where=None if largest is None else largest.where,
            tolerance=TOLERANCE,
            made=made.model_copy(update={"command": []}),
        )


def reproduce(
    found: Sequence[tuple[RunRecord, Store]], places: Places, out: Path, observer: Observer
) -> Iterator[Reproduction]:
    """Run the cells of records again, one after another; what cannot be done here is an outcome, not an error.

    Args:
        found: Records, with the stores that hold their tables and artifacts.
        places: Where things lie that records name without saying where.
        out: Folder of the repeats' records; none of the stores.
        observer: Told of every stage.

    Raises:
        StoreError: A repeat cannot be written.
    """
    observed = _PerThreads(places, out, observer)
    for number, (record, store) in enumerate(found, start=1):
        label = f"{record.cell.method.name} · {record.cell.task.name} · {record.cell.model.name}"
        observer.job(label, number, len(found))
        made = record.volatile.provenance
        apart, threads = settings_apart(made, collect(Setting(device=_device(record, places)))), threads_for(made)
        with with_threads(threads):
            one = replace(_one(record, store, observed.here(threads)), apart=apart)
        if one.repeat is not None:
            observer.done(label, one.repeat, reused=False)
            one = replace(one, threads=threads)
        yield one


def _device(record: RunRecord, places: Places) -> str:
    made = record.volatile.provenance
    return places.device or (made.device if made else "cpu")


@dataclass
class _PerThreads:
    """What repeats with one number of threads share; what was computed with another is not kept."""

    places: Places
    out: Path
    observer: Observer
    _known: tuple[int, Here] | None = None

    def here(self, threads: int) -> Here:
        """What the repeat with so many threads takes."""
        if self._known is None or self._known[0] != threads:
            benches = Benches(RunSettings.model_validate({}))
            self._known = threads, Here(self.places, self.out, benches, self.observer)
        return self._known[1]


def _one(record: RunRecord, store: Store, here: Here) -> Reproduction:
    if record.problem is not None:
        why = f"The record has no numbers: {record.problem.what}"
        return _cannot(record, MibenchError(_head(record), why=why, do="Run the cell again with mibench run."))
    try:
        work = remake(record, store, here)
    except MibenchError as error:
        return _cannot(record, error)
    different = cell_differences(record.cell, work.cell)
    if different:
        return _cannot(record, _not_the_cell(record, different), different)
    repeats = Store(here.out)
    repeat = run_cell(work, repeats)
    if repeat.problem is not None:
        problem = repeat.problem
        return _cannot(record, MibenchError(problem.what, why=problem.why, do=problem.do))
    try:
        agreed = agreement(record, store, repeat, repeats, tolerance=TOLERANCE)
    except StoreError as error:  # the record's own tables are missing or damaged
        return _cannot(record, error)
    return Reproduction(record, agreed.verdict, agreement=agreed, repeat=repeat)


def meaning(difference: Difference) -> str:
    """What a difference of the cell is about, in words."""
    return _MEANINGS.get(difference.where, f"{difference.where} is another")


def _head(record: RunRecord) -> str:
    return f"{record.cell.method.name} ({record.cell.id[:8]}) cannot be reproduced here."


def _cannot(record: RunRecord, problem: MibenchError, differences: Sequence[Difference] = ()) -> Reproduction:
    return Reproduction(record, "cannot", problem, tuple(differences))


def _not_the_cell(record: RunRecord, differences: Sequence[Difference]) -> MibenchError:
    made = record.volatile.provenance
    version = "the version of mibench that made it" if made is None else f"mibench {made.mibench}"
    commit = "" if made is None or made.git_commit is None else f" at commit {made.git_commit[:10]}"
    words = "; ".join(meaning(one) for one in differences)
    return MibenchError(
        _head(record),
        why=f"{words[0].upper()}{words[1:]}.",
        do=f"Use the same task, model and code: {version}{commit}; --task, --model and --method say where they lie.",
    )
