"""What a run would take, job by job and in all: time, memory, model loads, and what is there already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import MibenchError, StoreError
from mibench.core.specs import Track
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.cells.identity import method_of
from mibench.runner.driving.units import units
from mibench.runner.forecasts.fits import fit_problem, needed
from mibench.runner.forecasts.forecast import Book, Forecast, Room, Span, forecast, room, total
from mibench.runner.forecasts.past_costs import Work, name_of, past_costs, shipped_records, task_name, work_of_job
from mibench.runner.plan import Job
from mibench.runner.provenance import Setting, collect
from mibench.runner.settings import RunSettings
from mibench.runner.variables.ground import variable_ref
from mibench.tasks.variable_task import load_variable_task

Planned = Sequence[tuple[Job, RunSettings]]


@dataclass(frozen=True)
class Outlook:
    """What one job would take.

    Attributes:
        job: The job.
        time: Its time.
        taught: Whether another job makes its dictionary, whose time counts there.
        memory: What it needs, as records of it say, else as is estimated; None: not known.
        problem: Why it does not fit its device.
        reused: Whether a record is there that would be taken, if model and data are still the same.
    """

    job: Job
    time: Forecast
    taught: bool
    memory: Room | None
    problem: MibenchError | None
    reused: bool

    @property
    def seconds(self) -> Span | None:
        """What it adds to the run; None: not known."""
        return self.time.scoring if self.taught else self.time.total


@dataclass(frozen=True)
class Whole:
    """What a run would take in all.

    Attributes:
        time: Of the jobs whose time is known, with all workers; None: of none.
        known: How many these are.
        unknown: Jobs that no record speaks of.
        reused: Jobs whose record is there; what follows leaves them out.
        memory: Bytes of the largest job; None: not known.
        at_once: Bytes of as many of the largest jobs as there are workers; None: not known.
        loads: Models that are loaded, each in one way; workers of other processes load theirs again.
        shared: Grounds, or dictionaries, whose examples, plain runs or training serve several jobs.
        workers: Workers at once.
    """

    time: Span | None
    known: int
    unknown: int
    reused: int
    memory: int | None
    at_once: int | None
    loads: int
    shared: int
    workers: int


def outlooks(planned: Planned, settings: RunSettings) -> list[Outlook]:
    """What each job of a plan would take; no model is loaded."""
    pasts = past_costs(_folders(settings))
    books = {name: Book(pasts, _device_name(name)) for name in {own.device for _, own in planned}}
    stores = _stored(settings)
    found, trained = [], set()
    for job, own in planned:
        work = work_of_job(job, own)
        key = _training(job, own)
        found.append(
            Outlook(
                job=job,
                time=forecast(work, books[own.device]),
                taught=key is not None and key in trained,
                memory=_memory(job, own, work, books[own.device]),
                problem=fit_problem(job, own),
                reused=settings.only != "all" and _has(stores, job, own, work),
            )
        )
        trained.add(key)
    return found


class Kept:
    """Good records of a run's folders, by which that of a job is told without its model.

    Args:
        settings: The run.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._stored = _stored(settings)

    def has(self, job: Job, settings: RunSettings) -> bool:
        """Whether a record is there that is the job's if model and data are still the same."""
        return _has(self._stored, job, settings, work_of_job(job, settings))


def whole(found: Sequence[Outlook], planned: Planned, settings: RunSettings) -> Whole:
    """What all jobs would take together."""
    to_run = [one for one in found if not one.reused]
    spans = [one.seconds for one in to_run if one.seconds is not None]
    left = [pair for pair, one in zip(planned, found, strict=True) if not one.reused]
    workers = 1 if settings.executor == "serial" else settings.workers
    bundles = units(left, workers)
    loadings = {(job.model, own.dtype, own.device, own.attention) for job, own in left}
    memory = sorted((one.memory.likely for one in to_run if one.memory is not None), reverse=True)
    jobs_of = [sum(len(unit.jobs) for unit in bundles if unit.bundle == one) for one in {u.bundle for u in bundles}]
    return Whole(
        time=total(spans, workers),
        known=len(spans),
        unknown=len(to_run) - len(spans),
        reused=len(found) - len(to_run),
        memory=memory[0] if memory else None,
        at_once=sum(memory[: min(workers, len(bundles))]) if memory else None,
        loads=len(loadings),
        shared=sum(count > 1 for count in jobs_of),
        workers=workers,
    )


def _memory(job: Job, settings: RunSettings, work: Work, book: Book) -> Room | None:
    """What records of the job took, on processors; else what its shapes say."""
    recorded = room(work, book, (settings.batch_size, settings.batch_tokens)) if settings.device == "cpu" else None
    need = needed(job, settings) if recorded is None else None
    return recorded if need is None else Room(need.least, need.most, need.total, "estimated from shapes")


def _folders(settings: RunSettings) -> list[Path]:
    """Folders whose records tell what cells take, those of the run first."""
    return [settings.out, *([settings.baseline] if settings.baseline else []), *shipped_records()]


def _device_name(device: str) -> str | None:
    try:
        made = collect(Setting(device=device))
    except (RuntimeError, AssertionError):  # torch knows no such device; loading will say so
        return None
    return made.cpu if device == "cpu" else made.device_name


def _training(job: Job, settings: RunSettings) -> object:
    """What a dictionary is trained by, once for all its tasks; None in other tracks."""
    if job.track is not Track.SAE:
        return None
    method = job.method.name, job.method.code_digest, repr(sorted(job.params.items())), job.seed
    return (*method, job.model, job.hook, settings.corpus, settings.context, settings.bos, settings.train_tokens)


_Stored = dict[tuple[str, str, str], list[RunRecord]]
"""Good records by task, model and method."""


def _stored(settings: RunSettings) -> _Stored:
    found: _Stored = {}
    for folder in (settings.out, settings.baseline):
        try:
            records = [] if folder is None else Store(folder).query()
        except StoreError:  # the run will say so
            continue
        for record in records:
            if record.status == "ok":
                cell = record.cell
                found.setdefault((cell.task.name, cell.model.name, cell.method.name), []).append(record)
    return found


def _has(stored: _Stored, job: Job, settings: RunSettings, work: Work) -> bool:
    key = (task_name(job.task, job.track), name_of(job.model), job.method.name)
    return any(_is_of(record, job, settings, work) for record in stored.get(key, ()))


def _is_of(record: RunRecord, job: Job, settings: RunSettings, work: Work) -> bool:
    """Whether a record is that of a job, as far as can be told without the digests of its model and data."""
    cell, circuit = record.cell, job.track is Track.CIRCUIT
    said = (cell.track, cell.task.split, cell.convention, cell.level, cell.ablation)
    asked = (
        job.track,
        settings.split,
        settings.convention,
        settings.level if circuit else None,
        settings.ablation if circuit else None,
    )
    extras = {name.replace("-", "_") for name in settings.extras}
    return (
        said == asked
        and cell.method == method_of(job)
        and settings.attention in (None, cell.model.attention)
        and _same_place(record, job, settings, work)
        and _as_many(cell.task.limit, work.examples, limited=settings.limit is not None)
        and _is_trained(cell.task.train_limit, work.train, job, settings)
        and (job.control or extras <= set(record.tables))
    )


def _same_place(record: RunRecord, job: Job, settings: RunSettings, work: Work) -> bool:
    cell = record.cell
    if job.track is Track.VARIABLE:
        try:
            return cell.variable == variable_ref(job, job.model, settings, load_variable_task(job.task))
        except MibenchError:
            return False
    if cell.dictionary is None:
        return cell.model.dtype == settings.dtype
    text = (cell.dictionary.corpus, cell.dictionary.context)
    read = work.ground[-1] == cell.dictionary.hook
    return read and (text == (settings.corpus, settings.context) or work.ground[-1] == "generated")


def _is_trained(recorded: int | None, asked: int | None, job: Job, settings: RunSettings) -> bool:
    """Whether training examples are those that are asked for; of a text, as few whole contexts as hold the tokens."""
    if job.track is not Track.SAE or recorded is None or asked is None:
        return _as_many(recorded, asked, limited=settings.train_examples is not None)
    return asked <= recorded < asked + settings.context


def _as_many(recorded: int | None, asked: int | None, *, limited: bool) -> bool:
    """Whether so many examples are those that are asked for; without a limit, a tokenizer may leave some out."""
    if recorded is None or asked is None:
        return True
    return recorded == asked if limited else recorded <= asked
