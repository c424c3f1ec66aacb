"""Run the jobs of a plan, one after another; what has a good record is not run again."""

from __future__ import annotations

from dataclasses import dataclass, field

from mibench.core.errors import DataError, MibenchError, StoreError, UsageError
from mibench.core.names import unknown
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.cell_run import CellRun, run_cell
from mibench.runner.cells import cell_of
from mibench.runner.floors import draws_of, with_floors
from mibench.runner.observe import Observer
from mibench.runner.plan import Job, plan
from mibench.runner.settings import RunSettings
from mibench.runner.workbench import Workbench
from mibench.tasks.load import load_task


@dataclass
class Report:
    """What a run did.

    Attributes:
        jobs: Jobs with their records, in order, those that were there already included.
        reused: Ids of cells whose record was there already.
        problems: Jobs that came to no cell, because their model or data could not be used.
    """

    jobs: list[tuple[Job, RunRecord]] = field(default_factory=list)
    reused: set[str] = field(default_factory=set)
    problems: list[tuple[Job, MibenchError]] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything failed."""
        return bool(self.problems) or any(record.status == "failed" for _, record in self.jobs)


def run(settings: RunSettings, observer: Observer, benches: Benches | None = None) -> Report:
    """Run all cells of ``settings``.

    Args:
        settings: What to run.
        observer: Told of everything.
        benches: Where models are kept; None: nowhere yet.

    Returns:
        What was done. A cell that fails leaves a record with the reason, and the others go on.

    Raises:
        UsageError: The settings name something that does not exist, or the records cannot go where they are to go.
        StoreError: Records cannot be read or written.
    """
    jobs = plan(settings)
    check_names(settings)
    report, benches, store = Report(), benches or Benches(settings), Store(settings.out)
    for number, job in enumerate(jobs, start=1):
        observer.job(job.label, number, len(jobs))
        try:
            bench = benches.get(job.model)
            work = CellRun(cell_of(job, bench, settings), job, bench, settings, observer)
        except StoreError:
            raise
        except MibenchError as error:
            # What is wrong with the command shows at the first job; after that, the other cells go on.
            if isinstance(error, UsageError) and not report.jobs:
                raise
            report.problems.append((job, error))
        else:
            run_or_reuse(work, store, report)
    return report


def check_names(settings: RunSettings) -> None:
    """Check what can be checked before anything is computed: tasks, splits, and where records go.

    Raises:
        UsageError: An unknown task or split, or a file where the folder of records is to be.
    """
    nearest = next(place for place in (settings.out, *settings.out.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise UsageError(f"{settings.out} cannot hold records.", why=f"{nearest} is a file.", do="Choose a folder.")
    for ref in settings.task:
        try:
            splits = load_task(ref).splits
        except DataError:  # its cells will say so
            continue
        if settings.split not in splits:
            raise unknown(f"split of {ref}", settings.split, splits)


def run_or_reuse(work: CellRun, store: Store, report: Report) -> None:
    """Run a cell, or take its record from the store, as the settings say; add it to ``report``.

    Raises:
        StoreError: The record cannot be read or written.
    """
    known = store.read(work.cell) if store.has(work.cell) else None
    state = "missing" if known is None else known.status
    wanted = {"all": True, "missing": state in {"missing", "failed"}, "failed": state == "failed"}
    if wanted[work.settings.only]:
        record = run_cell(work, store)
    elif known is not None:
        record = _reused(known, work, store)
        report.reused.add(known.cell.id)
    else:
        return
    report.jobs.append((work.job, record))
    work.observer.done(work.job.label, record, reused=record.cell.id in report.reused)


def _reused(known: RunRecord, work: CellRun, store: Store) -> RunRecord:
    """A record that was there: its floor made this run's, and a word on where it is from."""
    if known.status == "ok":
        fresh = with_floors(known, draws_of(work.job, work.bench, work.settings, store))
        known = known if fresh == known else store.write(fresh)
    made = known.volatile.provenance
    origin = {"reused_from": str(store.folder), "reused_since": None if made is None else made.created_at}
    return known.model_copy(update={"volatile": known.volatile.model_copy(update=origin)})


class Benches:
    """Keeps the model in use; another one takes its place."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._held: dict[str, Workbench] = {}
        self._failed: dict[str, MibenchError] = {}

    def get(self, model: str) -> Workbench:
        """The workbench of a model, loaded and checked if it is not the one in use.

        Raises:
            UsageError: Unknown model, dtype, device or attention kernel.
            ModelError: It cannot be loaded, or fails the check.
        """
        if model in self._failed:
            raise self._failed[model]
        if model not in self._held or self._held[model].spoiled:
            self._held.clear()
            chosen = self._settings
            try:
                self._held[model] = Workbench.load(
                    model, dtype=chosen.dtype, device=chosen.device, attention=chosen.attention
                )
            except MibenchError as error:
                self._failed[model] = error
                raise
        return self._held[model]
