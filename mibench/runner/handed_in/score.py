"""Score artifact files: each becomes a cell, with one model load for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionary_files import is_dictionary
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.files import load_scores
from mibench.artifacts.selection import Selection
from mibench.artifacts.series import CircuitSeries
from mibench.artifacts.series_folder import load_series
from mibench.core.errors import ArtifactError, DataError, MibenchError, StoreError, UsageError
from mibench.core.files import is_folder, read_text
from mibench.core.specs import Convention, MethodRef, Track
from mibench.core.yaml_text import load_yaml
from mibench.methods.method import Method
from mibench.records.store import Store
from mibench.runner.cells.identity import cell_with, method_ref
from mibench.runner.cells.work import CellRun
from mibench.runner.dictionaries.cell import check_place
from mibench.runner.execute import Benches, Report, check_names, run, run_or_reuse
from mibench.runner.grounds import NO_MODEL
from mibench.runner.handed_in.dictionaries import hook_of, is_for, on_model, read_dictionary, score_together
from mibench.runner.handed_in.featurizers import Whose, check_for, ground_of, is_featurizers, read_featurizers
from mibench.runner.handed_in.reading import asks_for_dictionaries, read_all
from mibench.runner.handed_in.refs import artifact_paths
from mibench.runner.observe import Observer
from mibench.runner.plan import Job, check_convention
from mibench.runner.settings import RunSettings
from mibench.runner.variables.controls import CONTROLS
from mibench.tasks.sae.dictionary_task import load_dictionary_task

MAX_META_BYTES = 1024 * 1024

Artifact = CircuitScores | Featurizers | Dictionary


class ArtifactMeta(BaseModel):
    """What a meta.yaml says of an artifact; what it leaves out stays unknown."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    method: str | None = None
    """Name of the method; else the file's own word, else the file's name."""
    version: int | None = Field(default=None, strict=True)
    """Version of the method."""
    params: dict[str, Any] = {}
    """Its parameters."""
    seed: int | None = Field(default=None, strict=True)
    """Its seed."""
    selection: Selection | None = None
    """How circuits are chosen from the scores: a rule's name, or ``rule`` and parameters; else the file's own word."""


def read_meta(path: Path | str) -> ArtifactMeta:
    """Read a meta.yaml.

    Raises:
        UsageError: There is no such file.
        DataError: It is not YAML, or says something that it cannot say.
    """
    try:
        return ArtifactMeta.model_validate(load_yaml(read_text(path, max_bytes=MAX_META_BYTES)) or {})
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = error.errors()[0]["msg"] if isinstance(error, ValidationError) else " ".join(str(error).split())
        keys = ", ".join(ArtifactMeta.model_fields)
        raise DataError(f"{path} cannot be used.", why=why, do=f"Its keys are {keys}.") from error


def load_artifact(
    path: Path,
    meta: ArtifactMeta,
    settings: RunSettings,
    positions: Mapping[str, str | None] = MappingProxyType({}),
    *,
    binary: bool,
) -> tuple[Artifact, MethodRef]:
    """Read an artifact and say whose it is: scores, a folder of nine circuits, featurizers, or a dictionary.

    Args:
        path: File or folder.
        meta: What the user says of it.
        settings: The run.
        positions: Positions of the task by MIB's ids, for MIB's featurizers.
        binary: The file is one circuit.

    Raises:
        UsageError: No such file, or a suffix of no known format.
        ArtifactError: The file cannot be used, its one circuit is empty, or a circuit of a series is too large.
    """
    whose = Whose(meta.method, meta.version, meta.params, meta.seed)
    if asks_for_dictionaries(settings) or is_dictionary(path):
        return read_dictionary(path, whose, settings)
    if is_featurizers(path):
        return read_featurizers(path, whose, settings, positions)
    whole = is_folder(path)
    scores = load_series(path, level=settings.level) if whole else _one_file(path, settings, binary=binary)
    if isinstance(scores, CircuitSeries):
        scores = _within_budgets(scores, settings.convention)
    if not (meta.method or scores.method):
        unknown = [word for word in ("version", "seed") if getattr(meta, word) is None]
        rest = f"; {' and '.join(unknown)} unknown" if unknown else ""
        named = f"It is named after its {'folder' if whole else 'file'}{rest}."
        scores = replace(scores, notes=(*scores.notes, named))
    if meta.selection is not None:
        scores = replace(scores, selection=meta.selection)
        scores.validate()
    rule = scores.selection.rule
    reference = method_ref(
        name=meta.method or scores.method or (path.resolve().name if whole else path.stem),
        version=meta.version,
        params=({} if rule == "top-n" else {"selection": rule}) | (meta.params or dict(scores.params)),
        seed=meta.seed,
        artifact_digest=scores.digest,
    )
    return scores, reference


def _one_file(path: Path, settings: RunSettings, *, binary: bool) -> CircuitScores:
    scores = load_scores(path, level=settings.level, binary=binary)
    if isinstance(scores, CircuitSeries):
        return scores
    if binary and not (scores.in_graph is not None and scores.in_graph.any()):
        why = f"in_graph is false for every {settings.level}, so there is no circuit in it."
        raise ArtifactError(f"{path} cannot be scored as one circuit.", why=why, do="Set in_graph, or drop --binary.")
    return scores


def _within_budgets(series: CircuitSeries, convention: Convention) -> CircuitSeries:
    """The series, refused if a circuit is too large; MIB takes any size, so there it is only said."""
    if convention is not Convention.MIB:
        series.check_budgets()
        return series
    return replace(series, notes=(*series.notes, *(f"{words}." for words in series.over_budget(phantom=True))))


def remarks(path: Path, scores: Artifact) -> list[str]:
    """What the reader of an artifact had to fill in or leave out, and what it does not say."""
    if isinstance(scores, Featurizers | Dictionary):
        notes = scores.meta.get("notes", ())
        return [f"{path.name}: {text}" for text in (notes if isinstance(notes, list | tuple) else [notes])]
    of = {"edges_defaulted": f" of {scores.n_scored}"}
    counters = [(kind, count) for kind, count in scores.counters.items() if count]
    counted = [f"{kind.replace('_', ' ')}: {count}{of.get(kind, '')}" for kind, count in counters]
    return [f"{path.name}: {text}" for text in [*counted, *scores.notes]]


def score_artifacts(settings: RunSettings, observer: Observer) -> Report:
    """Run the methods of ``settings``, then score its artifacts.

    Raises:
        UsageError: The settings name something that does not exist.
        ArtifactError: An artifact cannot be used.
        StoreError: Records cannot be read or written.
    """
    paths = [path for ref in settings.artifact for path in artifact_paths(ref)]
    found, problems = read_all(
        paths, lambda path: load_artifact(path, ArtifactMeta(), settings, binary=False), settings
    )
    report = score_files([artifact for _, artifact in found], settings, observer)
    report.problems += problems
    return report


def score_files(
    files: Sequence[tuple[Artifact, MethodRef]],
    settings: RunSettings,
    observer: Observer,
    benches: Benches | None = None,
) -> Report:
    """Score artifacts on every task and model of ``settings``, after the floor and what they are compared with.

    Args:
        files: Artifacts, and whose they are.
        settings: The run.
        observer: Told of every stage.
        benches: Models that an earlier call loaded, of settings that load them alike; None: none.

    Raises:
        UsageError: The settings name something that does not exist.
        StoreError: Records cannot be read or written.
    """
    track = _track_of([artifact for artifact, _ in files])
    asked = settings
    if track is Track.SAE:
        check_convention(settings.convention, track)
    for artifact, _ in files[:1]:
        settings = ground_of(artifact, settings) if isinstance(artifact, Featurizers) else settings
    check_names(settings, track)
    _check_no_controls(settings)
    benches, store, report = benches or Benches(settings), Store(settings.out), Report()
    for model in settings.model:
        works, problems = _prepare_all(files, asked, observer, benches, model)
        if works and (settings.methods or track is Track.CIRCUIT):
            # What does not fit the model shows before anything is computed on it.
            done = run(settings.model_copy(update={"model": [model]}), observer, benches)
            report.jobs += done.jobs
            report.problems += done.problems
            report.reused |= done.reused
        report.problems += problems
        if track is Track.SAE:
            score_together(works, store)
        for number, work in enumerate(works, start=1):
            observer.job(work.job.label, number, len(works))
            bench = benches.get(work.job.model) if work.bench.spoiled else work.bench
            run_or_reuse(replace(work, bench=bench), store, report)
    return report


def _check_no_controls(settings: RunSettings) -> None:
    controls = [name for name in settings.extras if name in CONTROLS]
    if controls:
        raise UsageError(
            f"{controls[0]} cannot be measured of an artifact.",
            why="A control runs the method itself where there is nothing to find.",
            do="Leave it out, or use mibench run.",
        )


def _track_of(artifacts: Sequence[Artifact]) -> Track:
    """The one track of artifacts.

    Raises:
        UsageError: They are of several.
    """
    tracks = {_TRACKS[type(one)]: None for one in artifacts}
    if len(tracks) > 1:
        raise UsageError(
            "These artifacts cannot be scored together.",
            why=f"They are of the tracks {', '.join(tracks)}.",
            do="Score those of each track by themselves.",
        )
    return next(iter(tracks), Track.CIRCUIT)


_TRACKS: dict[type, Track] = {
    CircuitScores: Track.CIRCUIT,
    CircuitSeries: Track.CIRCUIT,
    Featurizers: Track.VARIABLE,
    Dictionary: Track.SAE,
}


def _prepare_all(
    files: Sequence[tuple[Artifact, MethodRef]],
    settings: RunSettings,
    observer: Observer,
    benches: Benches,
    model: str,
) -> tuple[list[CellRun], list[tuple[Job, MibenchError]]]:
    works, problems = [], []
    for task in settings.task:
        for scores, reference in _of_model(files, model, settings):
            # Files of equal scores are still files of their own.
            ref = f"{reference.artifact_digest} {reference.name} {reference.params} {reference.seed}"
            method, variable = _handed_in(reference, scores), getattr(scores, "variable", None)
            hook = hook_of(scores) if isinstance(scores, Dictionary) else None
            job = Job(task, model, method, reference.params, reference.seed, ref, variable=variable, hook=hook)
            try:
                works.append(_prepare(job, benches, settings, observer, (scores, reference)))
            except (UsageError, StoreError):
                raise
            except MibenchError as error:
                problems.append((job, error))
    return works, problems


def _of_model(
    files: Sequence[tuple[Artifact, MethodRef]], model: str, settings: RunSettings
) -> list[tuple[Artifact, MethodRef]]:
    """The files without dictionaries that say that they are for another model of the run."""
    others = [name for name in settings.model if name != model]
    return [
        (one, reference)
        for one, reference in files
        if not (isinstance(one, Dictionary) and any(is_for(one, name) for name in others))
    ]


def _prepare(
    job: Job,
    benches: Benches,
    settings: RunSettings,
    observer: Observer,
    file: tuple[Artifact, MethodRef],
) -> CellRun:
    scores, reference = file
    if isinstance(scores, Dictionary):
        return _prepare_dictionary(job, benches, settings, observer, (scores, reference))
    bench = benches.get(job.model)
    anatomy = bench.model.anatomy
    if isinstance(scores, Featurizers):
        check_for(scores, bench.hf.name, bench.variable_task(job.task).name)
        settings = ground_of(scores, settings)
        scores.check_model(anatomy.d_model, anatomy.head_dim, anatomy.n_layers, anatomy.n_heads)
    else:
        scores.check_model(bench.model.graph, anatomy.d_model)
    cell = cell_with(reference, job, bench, settings)
    return CellRun(cell, job, bench, settings, observer, handed_in=scores)


def _prepare_dictionary(
    job: Job,
    benches: Benches,
    settings: RunSettings,
    observer: Observer,
    file: tuple[Dictionary, MethodRef],
) -> CellRun:
    found, reference = file
    if not load_dictionary_task(job.task).model:
        job = replace(job, model=NO_MODEL)
    bench = benches.get(job.model)
    found = on_model(found, bench, job.task)
    job = replace(job, hook=hook_of(found))
    cell = cell_with(reference, job, bench, settings)
    work = CellRun(cell, job, bench, settings, observer, handed_in=found)
    check_place(work, found)
    return work


def _handed_in(reference: MethodRef, scores: Artifact) -> Method:
    """A method that stands for an artifact: it sees no data."""

    def absent(view: object) -> Artifact:  # noqa: ARG001
        raise AssertionError

    return Method(absent, name=reference.name, track=_TRACKS[type(scores)].value, needs=())
