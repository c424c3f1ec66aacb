"""From a record back to the work that made it: method, parameters, settings, and the artifact that was handed in."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.core.errors import UsageError
from mibench.core.names import unknown
from mibench.core.specs import Cell, Track
from mibench.engine.batches import MAX_TOKENS
from mibench.methods.method import METHODS, Method
from mibench.records.record import RunRecord
from mibench.records.store import Store
from mibench.runner.cells.identity import cell_with, method_of
from mibench.runner.cells.work import CellRun
from mibench.runner.cells.workbench import Workbench
from mibench.runner.dictionaries.ground import GENERATED, TO
from mibench.runner.execute import Benches
from mibench.runner.handed_in.again import artifact_of
from mibench.runner.handed_in.dictionaries import hook_of, on_model
from mibench.runner.observe import Observer
from mibench.runner.plan import Job
from mibench.runner.settings import EXTRAS, RunSettings, run_settings
from mibench.runner.sources import find_method
from mibench.runner.tiny import BOARD, EXAMPLES
from mibench.runner.variables.ground import labelled
from mibench.tasks.load import REGISTRY

LOCAL = "local:"
"""Before the name of a model that is a folder: the record does not say where it lies."""


@dataclass(frozen=True)
class Places:
    """Where things lie that records name without saying where, and what else may differ from their runs.

    Attributes:
        task: Pairs file, for tasks that are none of mibench's.
        model: Folder, for models that are folders.
        method: ``file.py:function`` or ``cmd: …``, for methods of users.
        limit: What the run was told, where a record of the SAE track does not tell.
        artifact: File of the artifact that was handed in; None: it lies beside the record.
        device: Device of torch; None: that of the record.
    """

    task: str | None = None
    model: str | None = None
    method: str | None = None
    limit: int | None = None
    artifact: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class Here:
    """What repeats of several records share.

    Attributes:
        places: Where things lie.
        out: Folder that the records of repeats go to.
        benches: Keeps the model in use.
        observer: Told of every stage.
    """

    places: Places
    out: Path
    benches: Benches
    observer: Observer


def remake(record: RunRecord, store: Store, here: Here) -> CellRun:
    """Load what a record's cell needs here, and name the cell that it makes: not always that of the record.

    Args:
        record: The record.
        store: Holds its artifact.
        here: Where and with what it is repeated.

    Raises:
        MibenchError: Something that the record names cannot be had here.
    """
    job = _job(record, here.places)
    settings = _settings(record, here, job)
    bench, observer = here.benches.get(job.model, settings), here.observer
    if record.cell.track is Track.VARIABLE:
        settings = _limited(record.cell, job, bench, settings)
    artifact = artifact_of(record, store, here.places.artifact, settings)
    method = method_of(job)
    if artifact is not None:
        method = record.cell.method.model_copy(update={"artifact_digest": artifact.digest})
    if isinstance(artifact, Dictionary):
        artifact = on_model(artifact, bench, job.task)
        job = replace(job, hook=hook_of(artifact))
    tried = [settings.model_copy(update={"limit": limit}) for limit in _limits(record, here.places)]
    works = [
        CellRun(cell_with(method, job, bench, own), job, bench, own, observer, artifact) for own in tried or [settings]
    ]
    return next((work for work in works if work.cell == record.cell), works[-1])


def _job(record: RunRecord, places: Places) -> Job:
    cell = record.cell
    method = _method(cell, places)
    params = dict(cell.method.params)
    if cell.method.artifact_digest is None:
        # Digests of files that parameters name stand among them; parameters that are no more show in the cell.
        params = method.parameters({name: value for name, value in params.items() if name in method.known})
    return Job(
        task=_task_ref(cell, places),
        model=_model_ref(cell, places),
        method=method,
        params=params,
        seed=cell.method.seed,
        ref=cell.method.name,
        variable=None if cell.variable is None else cell.variable.name,
        hook=_hook(cell),
    )


def _task_ref(cell: Cell, places: Places) -> str:
    if cell.track is not Track.CIRCUIT or cell.task.name in REGISTRY.components:
        return cell.task.name
    if places.task is None:
        raise UsageError(
            f"The task {cell.task.name} cannot be found.",
            why="It is no task of mibench, and the record does not say where its pairs file lies.",
            do="Add --task FILE.jsonl.",
        )
    return places.task


def _model_ref(cell: Cell, places: Places) -> str:
    if not cell.model.name.startswith(LOCAL):
        return cell.model.name
    if places.model is None:
        raise UsageError(
            f"The model {cell.model.name} cannot be found.",
            why="It is a folder, and the record does not say where it lies.",
            do="Add --model FOLDER.",
        )
    return places.model


def _method(cell: Cell, places: Places) -> Method:
    own = cell.method
    if own.artifact_digest is not None:
        return Method(lambda view: view, name=own.name, track=cell.track.value, needs=())
    if own.code_digest is None:
        # A name that the record gives is never run as a file or a command.
        if own.name not in METHODS.components:
            raise unknown("method", own.name, METHODS.names())
        return find_method(own.name)
    if places.method is None:
        raise UsageError(
            f"The method {own.name} cannot be found.",
            why="It is a user's, and the record has a digest of its code, not the code.",
            do="Add --method FILE.py:FUNCTION.",
        )
    return find_method(places.method)


def _hook(cell: Cell) -> str | None:
    where = cell.dictionary
    if where is None or where == GENERATED:
        return None
    return where.hook if where.output is None else f"{where.hook}{TO}{where.output}"


def _settings(record: RunRecord, here: Here, job: Job) -> RunSettings:
    cell, made = record.cell, record.volatile.provenance
    values: dict[str, Any] = {
        "task": [job.task],
        "model": [job.model],
        "method": [job.ref],
        "split": cell.task.split,
        "limit": cell.task.limit,
        "train_limit": max(filter(None, (cell.task.train_limit, cell.task.validation_limit)), default=None),
        "convention": cell.convention,
        "dtype": cell.model.dtype,
        "attention": cell.model.attention,
        "extras": [name for name in EXTRAS if name.replace("-", "_") in record.tables],
        "floor_draws": 0,
        "only": "all",
        "out": here.out,
        "tiny": record.board == BOARD,
        "device": here.places.device or (made.device if made else "cpu"),
    }
    return run_settings(values | _batches(record) | _of_track(cell))


def _batches(record: RunRecord) -> dict[str, Any]:
    """How the record's examples were put into batches, so that rounding is the same."""
    made = record.volatile.provenance
    if made is None:
        return {}
    # The default of circuits is noted for dictionaries too, which have their own.
    tokens = None if made.batch_tokens == MAX_TOKENS else made.batch_tokens
    found = {"batch_size": made.batch_size, "batch_tokens": tokens, "padded": made.padded}
    return {name: value for name, value in found.items() if value is not None}


def _of_track(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {"level": cell.level, "ablation": cell.ablation}
    where, text = cell.variable, cell.dictionary
    if where is not None:
        listed = where.heads or where.target_heads
        found |= {
            "variable": [where.name],
            "component": where.component,
            "position": list(where.positions),
            "layer": list(where.layers or ()),
            "heads": [f"{layer}.{head}" for layer, head in listed],
        }
    if text is not None and text != GENERATED:
        found |= {"corpus": text.corpus, "context": text.context, "bos": cell.bos == "prepend"}
        found |= {"train_tokens": cell.task.train_limit, "hook": [_hook(cell)]}
    return {name: value for name, value in found.items() if value is not None}


def _limits(record: RunRecord, places: Places) -> list[int | None]:
    """Limits that a run of a dictionary may have been told; the cell says how many examples it came to."""
    if record.cell.track is not Track.SAE:
        return []
    if places.limit is not None:
        return [places.limit]
    return [EXAMPLES[Track.SAE]] if record.board == BOARD else [None, record.cell.task.limit]


def _limited(cell: Cell, job: Job, bench: Workbench, settings: RunSettings) -> RunSettings:
    """The settings with limits a counterfactual set; a cell counts the rows of all sets together."""
    task = cell.task
    evaluated = _per_set(job, bench, settings, task.split, task.limit)
    others = [
        _per_set(job, bench, settings, split, rows)
        for split, rows in (("train", task.train_limit), ("validation", task.validation_limit))
        if split != task.split
    ]
    shown = max(filter(None, others), default=None)
    return settings.model_copy(update={"limit": evaluated, "train_limit": shown})


def _per_set(job: Job, bench: Workbench, settings: RunSettings, split: str, rows: int | None) -> int | None:
    """The smallest limit under which a split has so many rows in all."""
    if rows is None:
        return None
    counts = Counter(row.set for row in labelled(job, bench, settings, split).rows).values()
    tried = range(1, max(counts, default=0) + 1)
    return next((limit for limit in tried if sum(min(limit, count) for count in counts) >= rows), rows)
