"""What cells took, by what they did: read from stored records, as forecasts need it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError, StoreError
from mibench.core.files import is_folder
from mibench.core.shipped import shipped_places
from mibench.core.sites import Component
from mibench.core.specs import Track, VariableRef
from mibench.models.catalogue import LOCAL
from mibench.models.footprint import footprint
from mibench.records.record import Cost, RunRecord
from mibench.records.store import Store
from mibench.runner.forecasts.prompt_sizes import n_examples, prompt_sizes
from mibench.runner.grounds import NO_MODEL, load_task_of
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.runner.variables.ground import variable_ref
from mibench.tasks.variable_task import load_variable_task

_BACKWARD = 2.0
"""Time of a backward pass, in forward passes."""


@dataclass(frozen=True)
class Work:
    """What a cell does, as far as time depends on it; alike for jobs and records.

    Attributes:
        ground: What it is done on: track, level, task, model, dtype, variable and component, or hook.
        method: Name of the method.
        params: Its parameters.
        examples: Examples that are scored; None: all.
        train: Examples or tokens that the method sees; None: all, or none.
        sites: Places that are tried.
        size: Parameters of the model times tokens of a prompt; None: not known.
    """

    ground: tuple[Any, ...]
    method: str
    params: Mapping[str, Any]
    examples: int | None
    train: int | None
    sites: float = 1.0
    size: float | None = None

    @property
    def track(self) -> Track:
        """What kind of artifact is scored."""
        return Track(self.ground[0])


@dataclass(frozen=True)
class Past:
    """A cell that was run.

    Attributes:
        work: What it did.
        discovery: Seconds that its method took; None: it was handed in.
        scoring: Seconds that scoring took.
        passes: Passes of the method, a backward one counting as two; 0: none are known.
        scoring_passes: Those of scoring.
        peak: Bytes of memory of the process; None: not known, or on an accelerator, whose memory is another.
        device: Product name of the device.
        batch: Examples and tokens of a batch, at most; None: not known.
    """

    work: Work
    discovery: float | None
    scoring: float
    passes: float = 0.0
    scoring_passes: float = 0.0
    peak: int | None = None
    device: str | None = field(default=None)
    batch: tuple[int | None, int | None] = (None, None)


def past_costs(folders: Iterable[Path]) -> list[Past]:
    """What the good records of folders took; a folder that cannot be read gives none."""
    found: dict[str, Past] = {}
    for folder in folders:
        try:
            records = Store(folder).query()
        except StoreError:  # a forecast is not what it has to stop at
            continue
        for record in records:
            past = past_of(record)
            if past is not None:
                found.setdefault(record.cell.id, past)
    return list(found.values())


def shipped_records() -> list[Path]:
    """Folders of the records that come with mibench, where they are installed."""
    return [place for place in shipped_places("leaderboard", "records") if place.is_dir()][:1]


def past_of(record: RunRecord) -> Past | None:
    """What a record's cell took; None where it says nothing of that, or failed."""
    cost, made = record.volatile.cost, record.volatile.provenance
    if record.status != "ok" or cost is None or record.cell.method.artifact_digest is not None:
        return None
    own = record.volatile.discovery
    # A dictionary is trained once for all its tasks, so that the cost of a cell leaves it out.
    inside = own is not None and record.cell.track is not Track.SAE
    on_cpu = made is None or made.device == "cpu"
    return Past(
        work=work_of_record(record),
        discovery=None if own is None else own.seconds,
        scoring=max(0.0, cost.seconds - (own.seconds if own is not None and inside else 0.0)),
        passes=_passes(own),
        scoring_passes=max(0.0, _passes(cost) - (_passes(own) if inside else 0.0)),
        peak=max(cost.peak_bytes or 0, (own and own.peak_bytes) or 0) or None if on_cpu else None,
        device=None if made is None else made.device_name or made.cpu,
        batch=(None, None) if made is None else (made.batch_size, made.batch_tokens),
    )


def _passes(cost: Cost | None) -> float:
    return 0.0 if cost is None else cost.forward_passes + _BACKWARD * cost.backward_passes


def work_of_record(record: RunRecord) -> Work:
    """What a record's cell did."""
    cell = record.cell
    task, model = cell.task, cell.model.name
    return Work(
        ground=(
            *_ground(cell.track, cell.level, task.name, model, cell.model.dtype, cell.variable),
            None if cell.dictionary is None else cell.dictionary.hook,
        ),
        method=cell.method.name,
        params=cell.method.params,
        examples=task.limit,
        train=task.train_limit,
        sites=_sites(cell.variable, model),
        size=_size(task.name, task.split, cell.track, model),
    )


def work_of_job(job: Job, settings: RunSettings) -> Work:
    """What a job would do."""
    where = _variable(job, settings)
    circuit = job.track is Track.CIRCUIT
    dtype = "float32" if job.model == NO_MODEL else settings.dtype
    level, name = settings.level if circuit else None, name_of(job.model)
    return Work(
        ground=(*_ground(job.track, level, task_name(job.task, job.track), name, dtype, where), _hook(job)),
        method=job.method.name,
        params=job.params,
        examples=_examples(job, settings),
        train=_train(job, settings),
        sites=_sites(where, job.model),
        size=_size(job.task, settings.split, job.track, job.model),
    )


@cache
def task_name(ref: str, track: Track) -> str:
    """The name that a task has in records, from what users write."""
    try:
        return load_task_of(ref, track).name
    except MibenchError:  # its cells will say so
        return ref


def name_of(model: str) -> str:
    """The name that a model has in records, from what users write."""
    return f"{LOCAL}{Path(model).resolve().name}" if is_folder(model) else model


def _ground(*parts: Any) -> tuple[Any, ...]:
    *plain, where = parts
    return (*plain, *((None, None) if where is None else (where.name, where.component)))


def _hook(job: Job) -> str | None:
    if job.track is not Track.SAE:
        return None
    size = footprint(job.model)
    if job.hook is None and size is not None:
        return f"residual-post.L{size.n_layers // 2}"
    return job.hook or ("generated" if job.model == NO_MODEL else None)


def _variable(job: Job, settings: RunSettings) -> VariableRef | None:
    if job.track is not Track.VARIABLE:
        return None
    try:
        return variable_ref(job, job.model, settings, load_variable_task(job.task))
    except MibenchError:  # its cell will say so
        return None


def _examples(job: Job, settings: RunSettings) -> int | None:
    return n_examples(job.task, settings.split, job.track, settings.limit) or settings.limit


def _train(job: Job, settings: RunSettings) -> int | None:
    if job.track is Track.SAE:
        stated = job.params.get("tokens")
        return stated if isinstance(stated, int) else settings.train_tokens
    if "train" not in job.method.needs:
        return None
    return n_examples(job.task, "train", job.track, settings.train_examples) or settings.train_examples


def _sites(where: VariableRef | None, model: str) -> float:
    if where is None:
        return 1.0
    size = footprint(model)
    if where.component is Component.HEAD:
        return len(where.heads) or (size.n_layers * size.n_heads if size else 1)
    return len(where.positions) * (len(where.layers or ()) or (size.n_layers if size else 1))


def _size(task: str, split: str, track: Track, model: str) -> float | None:
    size, prompts = footprint(model), None
    if size is None:
        return None
    prompts = prompt_sizes(task, split, track)
    return size.n_params * (prompts.tokens if prompts else 1.0) if prompts or track is Track.SAE else None
