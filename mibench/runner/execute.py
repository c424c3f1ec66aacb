"""Run the jobs of a plan, one after another; what has a good record is not run again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mibench.core.errors import DataError, MibenchError, StoreError, UsageError
from mibench.core.files import check_folder
from mibench.core.names import unknown
from mibench.core.specs import Track
from mibench.records.copying import copy_record
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.cell_run import run_cell
from mibench.runner.cells import cell_of
from mibench.runner.dictionary_checks import check_jobs
from mibench.runner.floors import controlled
from mibench.runner.grounds import NO_MODEL, check_places, load_task_of
from mibench.runner.needs import Checks
from mibench.runner.observe import Observer
from mibench.runner.plan import Job, plan_cells, track_of
from mibench.runner.settings import EXTRAS, RunSettings
from mibench.runner.skipped import forget_skip, skip
from mibench.runner.sources import find_method
from mibench.runner.variable_controls import check_controls
from mibench.runner.work import CellRun
from mibench.runner.workbench import NoModel, Workbench
from mibench.tracks.extras import check_extras


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
        """Whether anything failed, or everything was skipped."""
        statuses = {record.status for _, record in self.jobs}
        return bool(self.problems) or "failed" in statuses or statuses == {"skipped"}


def run(settings: RunSettings, observer: Observer, benches: Benches | None = None) -> Report:
    """Run all cells of ``settings``.

    Args:
        settings: What to run.
        observer: Told of everything.
        benches: Where models are kept; None: nowhere yet.

    Returns:
        What was done. A cell that fails leaves a record with the reason, and the others go on; so does one of
        ``settings.cells`` whose model or data cannot be had here.

    Raises:
        UsageError: The settings name something that does not exist, or the records cannot go where they are to go.
        StoreError: Records cannot be read or written.
    """
    jobs = plan_cells(settings)
    check_names(settings)
    check_jobs([job for job, _ in jobs])
    store, report = Store(settings.out), Report()
    checks = Checks() if settings.cells else None
    ongoing = _Ongoing(observer, benches or Benches(settings), checks, store, report)
    for number, (job, chosen) in enumerate(jobs, start=1):
        observer.job(job.label, number, len(jobs))
        ongoing.do(job, chosen)
    return report


@dataclass(frozen=True)
class _Ongoing:
    """A run on its way; without ``checks``, what cannot be had fails instead of being skipped."""

    observer: Observer
    benches: Benches
    checks: Checks | None
    store: Store
    report: Report

    def do(self, job: Job, settings: RunSettings) -> None:
        """Run a job, take its record from the store, or skip it."""
        reason = self.checks.obstacle(job.task, job.model, settings.split, job.track) if self.checks else None
        if reason is not None:
            self._skip(job, settings, reason)
            return
        try:
            bench = self.benches.get(job.model, settings)
            work = CellRun(cell_of(job, bench, settings), job, bench, _for(job, settings), self.observer)
        except StoreError:
            raise
        except MibenchError as error:
            # What is wrong with the command shows at the first job; after that, the other cells go on.
            if isinstance(error, UsageError) and not self.report.jobs:
                raise
            self.report.problems.append((job, error))
            return
        run_or_reuse(work, self.store, self.report)
        if self.checks and self.store.has(work.cell):
            forget_skip(job, settings, self.store)

    def _skip(self, job: Job, settings: RunSettings, reason: MibenchError) -> None:
        if job.control:  # nobody asked for it by itself
            return
        record = skip(job, settings, reason, self.store)
        self.report.jobs.append((job, record))
        self.observer.done(job.label, record, reused=False)


def _for(job: Job, settings: RunSettings) -> RunSettings:
    """The settings of a job; extras are not measured for the floor, whose metrics declare it."""
    return settings.model_copy(update={"extras": []}) if job.control else settings


def check_names(settings: RunSettings, track: Track | None = None) -> None:
    """Check what can be checked before anything is computed: tasks, splits, extras, and where records go.

    Args:
        settings: The run.
        track: What is scored; None: what the methods hand in.

    Raises:
        UsageError: An unknown task or split, an extra that the level does not have, or a file where the folder of
            records is to be, or one that cannot be written to.
    """
    track = track or track_of([find_method(ref) for ref in settings.methods])
    _check_keys(settings, track)
    if track is Track.CIRCUIT:
        check_extras(frozenset(settings.extras), settings.level)
    elif track is Track.VARIABLE:
        check_controls(frozenset(settings.extras))
    else:
        _check_of_dictionaries(settings)
    check_folder(settings.out)
    for ref in dict.fromkeys([cell.task for cell in settings.chosen_cells] or settings.task):
        try:
            splits = load_task_of(ref, track).splits
        except DataError:  # its cells will say so
            continue
        if settings.split not in splits:
            raise unknown(f"split of {ref}", settings.split, splits)


_OF_VARIABLES = ("variable", "component", "position", "layer", "heads")
_OF_DICTIONARIES = ("hook", "corpus", "context", "bos", "train_tokens", "storage")
_OF_OTHERS = {
    Track.CIRCUIT: (*_OF_VARIABLES, *_OF_DICTIONARIES),
    Track.VARIABLE: ("level", "ablation", "floor_draws", "padded", *_OF_DICTIONARIES),
    Track.SAE: ("level", "ablation", "floor_draws", "padded", *_OF_VARIABLES),
}
"""Settings that mean nothing in a track."""


def _check_of_dictionaries(settings: RunSettings) -> None:
    if settings.against:
        raise UsageError(
            "Dictionaries are not compared one by one.",
            why="Most of their numbers follow how many latents are active, so that the denser one wins.",
            do="Leave --against out; the leaderboard compares families of dictionaries at equal L0.",
        )
    for name in settings.extras:
        raise UsageError(f"'{name}' is not measured of dictionaries.", why="They have no extras.", do="Leave it out.")
    check_places(settings)


def _check_keys(settings: RunSettings, track: Track) -> None:
    """Refuse settings that would be ignored.

    Raises:
        UsageError: One is of another track.
    """
    for name in _OF_OTHERS.get(track, ()):
        if name in settings.model_fields_set and getattr(settings, name) != RunSettings.model_fields[name].get_default(
            call_default_factory=True
        ):
            raise UsageError(
                f"'{name.replace('_', '-')}' means nothing here.",
                why=f"What is scored is of the {track} track.",
                do="Leave it out, or use a method of the other track.",
            )


def run_or_reuse(work: CellRun, store: Store, report: Report) -> None:
    """Run a cell, or take its record from the store, as the settings say; add it to ``report``.

    Raises:
        StoreError: The record cannot be read or written.
    """
    known = store.read(work.cell) if store.has(work.cell) else _from_baseline(work, store)
    state = "missing" if known is None or _lacks_extra(known, work.settings) else known.status
    wanted = {"all": True, "missing": state in {"missing", "failed", "skipped"}, "failed": state == "failed"}
    if wanted[work.settings.only]:
        record = run_cell(work if known is None else _keeping(known, work), store)
    elif known is not None:
        record = _reused(known, work, store)
        report.reused.add(known.cell.id)
    else:
        return
    report.jobs.append((work.job, record))
    work.observer.done(work.job.label, record, reused=record.cell.id in report.reused)


def _from_baseline(work: CellRun, store: Store) -> RunRecord | None:
    """Take a record with numbers from the baseline, with its tables; None: there is none, or all cells are run."""
    if work.settings.baseline is None or work.settings.only == "all":
        return None
    baseline = Store(work.settings.baseline)
    known = baseline.read(work.cell) if baseline.has(work.cell) else None
    if known is None or known.status != "ok":
        return None
    made = known.volatile.provenance
    origin = {"reused_from": str(baseline.folder), "reused_since": None if made is None else made.created_at}
    taken = known.model_copy(update={"volatile": known.volatile.model_copy(update=origin)})
    copy_record(taken, baseline, store)
    return taken


def _lacks_extra(known: RunRecord, settings: RunSettings) -> bool:
    return known.status == "ok" and not {_table(name) for name in settings.extras} <= set(known.tables)


def _table(extra: str) -> str:
    return extra.replace("-", "_")


def _keeping(known: RunRecord, work: CellRun) -> CellRun:
    """The same work, with the extra tables that the record has already."""
    extras = [name for name in EXTRAS if _table(name) in known.tables or name in work.settings.extras]
    return replace(work, settings=work.settings.model_copy(update={"extras": extras}))


def _reused(known: RunRecord, work: CellRun, store: Store) -> RunRecord:
    """A record that was there: its floor made this run's, and a word on where it is from."""
    if known.status == "ok" and known.cell.track is Track.CIRCUIT:
        fresh = controlled(known, work.job, work.bench, work.settings, store)
        known = known if fresh == known else store.write(fresh)
    made = known.volatile.provenance
    origin = {"reused_from": str(store.folder), "reused_since": None if made is None else made.created_at}
    origin = {} if known.volatile.reused_from else origin
    return known.model_copy(update={"volatile": known.volatile.model_copy(update=origin)})


class Benches:
    """Keeps the model in use; another one, or the same loaded in another way, takes its place.

    Args:
        settings: How models are loaded where nothing else is said.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._held: dict[_Loading, Workbench] = {}
        self._failed: dict[_Loading, MibenchError] = {}

    def get(self, model: str, settings: RunSettings | None = None) -> Workbench:
        """The workbench of a model, loaded and checked if it is not the one in use.

        Raises:
            UsageError: Unknown model, dtype, device or attention kernel.
            ModelError: It cannot be loaded, or fails the check.
        """
        chosen = settings or self._settings
        loading = (model, chosen.dtype, chosen.device, chosen.attention)
        if loading in self._failed:
            raise self._failed[loading]
        if loading not in self._held or self._held[loading].spoiled:
            self._held.clear()
            try:
                self._held[loading] = _load(*loading)
            except MibenchError as error:
                self._failed[loading] = error
                raise
        return self._held[loading]


_Loading = tuple[str, str, str, str | None]


def _load(model: str, dtype: str, device: str, attention: str | None) -> Workbench:
    if model == NO_MODEL:
        return NoModel(device)
    return Workbench.load(model, dtype=dtype, device=device, attention=attention)
