"""Run the jobs of a plan, one after another; what has a good record is not run again."""

from __future__ import annotations

from dataclasses import dataclass, field

from mibench.core.errors import MibenchError, StoreError, UsageError
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.cell_run import CellRun, run_cell
from mibench.runner.cells import cell_of
from mibench.runner.observe import Observer
from mibench.runner.plan import Job, plan
from mibench.runner.settings import RunSettings
from mibench.runner.workbench import Workbench


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
        UsageError: The settings name something that does not exist.
        StoreError: Records cannot be read or written.
    """
    jobs = plan(settings)
    report, benches, store = Report(), benches or Benches(settings), Store(settings.out)
    for number, job in enumerate(jobs, start=1):
        observer.job(job.label, number, len(jobs))
        try:
            bench = benches.get(job.model)
            work = CellRun(cell_of(job, bench, settings), job, bench, settings, observer)
        except (UsageError, StoreError):
            raise
        except MibenchError as error:
            report.problems.append((job, error))
        else:
            run_or_reuse(work, store, report)
    return report


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
        record = known
        report.reused.add(known.cell.id)
    else:
        return
    report.jobs.append((work.job, record))
    work.observer.done(work.job.label, record, reused=record.cell.id in report.reused)


class Benches:
    """Keeps the model in use; another one takes its place."""

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._held: dict[str, Workbench] = {}

    def get(self, model: str) -> Workbench:
        """The workbench of a model, loaded and checked if it is not the one in use.

        Raises:
            UsageError: Unknown model, dtype, device or attention kernel.
            ModelError: It cannot be loaded, or fails the check.
        """
        if model not in self._held:
            self._held.clear()
            chosen = self._settings
            self._held[model] = Workbench.load(
                model, dtype=chosen.dtype, device=chosen.device, attention=chosen.attention
            )
        return self._held[model]
