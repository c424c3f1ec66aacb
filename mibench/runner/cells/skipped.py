"""Records of cells that could not run here: they say why, and give way to the record of a run."""

from __future__ import annotations

from mibench.core.errors import MibenchError
from mibench.core.specs import Cell, DictionaryRef, ModelRef, TaskRef, Track, VariableRef
from mibench.models.catalogue import CATALOGUE
from mibench.records.record import Problem, RunRecord, Volatile
from mibench.records.store import Store
from mibench.runner.cells.identity import method_of, sees_train
from mibench.runner.cells.work import provenance_of
from mibench.runner.dictionaries.ground import TO
from mibench.runner.grounds import TASK_OF
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.runner.tiny import board_of
from mibench.runner.variables.ground import variable_ref
from mibench.tasks.variable_task import load_variable_task

UNKNOWN = "unknown"
"""In place of the digest of what could not be had."""


def skip(job: Job, settings: RunSettings, reason: MibenchError, store: Store) -> RunRecord:
    """Write the record of a job that cannot run here.

    Raises:
        StoreError: It cannot be written.
    """
    return store.write(
        RunRecord(
            cell=_cell(job, settings),
            status="skipped",
            board=board_of(settings),
            problem=Problem(what=reason.what, why=reason.why, do=reason.do),
            volatile=Volatile(provenance=provenance_of(settings)),
        )
    )


def forget_skip(job: Job, settings: RunSettings, store: Store) -> None:
    """Remove the record that says that a job was skipped, now that it has run."""
    store.path(_cell(job, settings)).unlink(missing_ok=True)


def _cell(job: Job, settings: RunSettings) -> Cell:
    """The cell as far as it can be told without its model and data."""
    spec = CATALOGUE.get(job.model)
    circuit = job.track is Track.CIRCUIT
    task = TASK_OF[job.track](job.task)
    train = settings.train_examples if sees_train(job, settings) else None
    return Cell(
        track=job.track,
        task=TaskRef(
            name=task.name,
            version=task.version,
            split=settings.split,
            limit=settings.limit,
            digest=UNKNOWN,
            train_limit=train,
        ),
        model=ModelRef(
            name=job.model,
            digest=UNKNOWN,
            dtype=settings.dtype,
            attention=settings.attention or (spec.attention if spec else "sdpa"),
        ),
        method=method_of(job),
        level=settings.level if circuit else None,
        ablation=settings.ablation if circuit else None,
        convention=settings.convention,
        variable=_variable(job, settings),
        dictionary=_dictionary(job, settings),
    )


def _variable(job: Job, settings: RunSettings) -> VariableRef | None:
    if job.track is not Track.VARIABLE:
        return None
    return variable_ref(job, job.model, settings, load_variable_task(job.task))


def _dictionary(job: Job, settings: RunSettings) -> DictionaryRef | None:
    """Where a dictionary was to work, as far as the settings say."""
    if job.track is not Track.SAE:
        return None
    read, arrow, written = (job.hook or UNKNOWN).partition(TO)
    output = written.strip() if arrow else None
    return DictionaryRef(hook=read.strip(), output=output, corpus=settings.corpus, context=settings.context)
