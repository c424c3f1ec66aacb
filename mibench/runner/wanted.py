"""What a run needs from elsewhere: models, data sets, dictionaries and text, each once, with how it is fetched."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from mibench.core.errors import DataError, MibenchError, UsageError
from mibench.core.files import is_folder
from mibench.core.names import did_you_mean
from mibench.core.specs import Track
from mibench.models.cache import converted_folder
from mibench.models.catalogue import CATALOGUE, ModelSpec
from mibench.models.hub import snapshot
from mibench.models.known import known_folder, known_models
from mibench.models.manifest import converted_manifest
from mibench.models.pull import pull
from mibench.runner.grounds import NO_MODEL, grounds, load_task_of
from mibench.runner.handed_in.refs import PREFIX, HubRef
from mibench.runner.hub_data import data_is_here, hub_data
from mibench.runner.needs import WEIGHT_FILES
from mibench.runner.plan import track_of
from mibench.runner.settings import RunSettings
from mibench.runner.sources import find_method
from mibench.tasks.corpora.hub import PREFIX as HUB_TEXT
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.load import load_task
from mibench.tasks.mib.hub import HubData
from mibench.tasks.sae.autointerp import JUDGE_VARIABLE
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.variable_task import load_variable_task

Kind = Literal["model", "data", "dictionaries", "text"]
Progress = Callable[[str], None]
_HUB_REF = re.compile(r"(?P<hub_id>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)")
_JUDGE = "local:"


@dataclass(frozen=True)
class Wanted:
    """One thing that a run needs.

    Attributes:
        kind: What it is.
        name: What the run calls it.
        source: Where it comes from, in words.
        hub_id: Its repository on the hub; None: it comes from elsewhere.
        revision: Commit, branch or tag; None: what ``main`` is then.
        gated: Whether its licence has to be accepted first.
        here: Whether it is on this machine, as far as its folders tell.
        n_bytes: Its size, where that is written down.
        fetch: Fetches it into the cache of the run; what is there already is not fetched again.
    """

    kind: Kind
    name: str
    source: str
    fetch: Callable[[Progress], Any] = field(repr=False, compare=False)
    hub_id: str | None = None
    revision: str | None = None
    gated: bool = False
    here: bool = False
    n_bytes: int | None = None

    @property
    def page(self) -> str | None:
        """Its page on the hub, where a licence is accepted."""
        folder = "datasets/" if self.kind in {"data", "text"} else ""
        return None if self.hub_id is None else f"https://huggingface.co/{folder}{self.hub_id}"


def wanted(settings: RunSettings) -> list[Wanted]:
    """List what a run needs from elsewhere, models first; nothing is fetched, and nothing is asked for.

    Raises:
        UsageError: The settings name something that does not exist.
    """
    found: dict[tuple[str, str], Wanted] = {}
    check_models(settings)
    for one in (*_models(settings), *_data(settings), *_artifacts(settings), *_texts(settings)):
        found.setdefault((one.kind, one.name), one)
    return list(found.values())


def check_models(settings: RunSettings) -> None:
    """Refuse names that are of no model: neither known, nor a folder, nor written as one of the hub.

    Raises:
        UsageError: There is one.
    """
    for name in dict.fromkeys(model for own in _runs(settings) for model in own.model):
        folder = os.path.expanduser(name)  # noqa: PTH111  Path.expanduser fails on the home of nobody
        is_known = name in CATALOGUE or name in known_models() or name == NO_MODEL or is_folder(folder)
        if not is_known and _HUB_REF.fullmatch(name) is None:
            raise UsageError(
                f"Unknown model '{name}'.",
                why="It is neither in the catalogue, nor a folder here, nor written as one of the hub.",
                do=f"{did_you_mean(name, [*CATALOGUE, *known_models()])} Or give a folder, or hub/id@revision.",
            )


def _tracked(settings: RunSettings) -> Track:
    if settings.methods:
        return track_of([find_method(ref) for ref in settings.methods])
    tasks = [cell.task for cell in settings.chosen_cells] or settings.task
    return Track.SAE if any(_is_dictionary_task(task) for task in tasks) else Track.CIRCUIT


def _is_dictionary_task(task: str) -> bool:
    try:
        load_dictionary_task(task)
    except MibenchError:
        return False
    return True


def _runs(settings: RunSettings) -> list[RunSettings]:
    """The settings of each cell, or of the run itself."""
    return [settings.of_cell(cell) for cell in settings.chosen_cells] if settings.cells else [settings]


def _models(settings: RunSettings) -> Iterator[Wanted]:
    track = _tracked(settings)
    names = [one.model for own in _runs(settings) for one in grounds(own, track)]
    judge = os.environ.get(JUDGE_VARIABLE, "").strip()
    names += [judge.removeprefix(_JUDGE)] if judge.startswith(_JUDGE) and track is Track.SAE else []
    for name in dict.fromkeys(names):
        if name in CATALOGUE:
            yield _of_catalogue(CATALOGUE[name])
        elif name in known_models():
            yield Wanted("model", name, "mibench itself", _silently(known_folder, name), here=True)
        elif name != NO_MODEL and not is_folder(name):
            yield _of_hub(name)


def _of_catalogue(spec: ModelSpec) -> Wanted:
    here = _is_cached(spec.hub_id, spec.revision)
    if spec.is_converted:
        here = converted_manifest(converted_folder(spec), spec) is not None
    return Wanted(
        "model",
        spec.name,
        spec.package or f"hub ({spec.hub_id})",
        lambda say: pull(spec.name, progress=say),
        hub_id=None if spec.package else spec.hub_id,
        revision=spec.revision,
        gated=spec.gated,
        here=here,
        n_bytes=spec.gguf.n_bytes if spec.gguf else None,
    )


def _of_hub(ref: str) -> Wanted:
    found = _HUB_REF.fullmatch(ref)
    if found is None:
        return Wanted("model", ref, "unknown", _silently(_refuse, ref))
    hub_id, revision = found["hub_id"], found["revision"]
    return Wanted(
        "model",
        ref,
        f"hub ({hub_id})",
        _silently(snapshot, hub_id, revision),
        hub_id=hub_id,
        revision=revision,
        here=_is_cached(hub_id, revision),
    )


def _silently(fetch: Callable[..., Any], *arguments: Any) -> Callable[[Progress], Any]:
    """What fetches something without a word on how far it has come."""

    def call(_: Progress) -> Any:
        return fetch(*arguments)

    return call


def _refuse(ref: str) -> None:
    raise UsageError(
        f"There is no model '{ref}'.",
        why="It is neither in the catalogue, nor a folder here, nor written as one of the hub.",
        do="Give a name of mibench models list, a folder, or hub/id@revision.",
    )


def _is_cached(hub_id: str, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(hub_id, name, revision=revision), str) for name in WEIGHT_FILES)


def _data(settings: RunSettings) -> Iterator[Wanted]:
    track = _tracked(settings)
    for task in dict.fromkeys(one.task for own in _runs(settings) for one in grounds(own, track)):
        with suppress(DataError):  # which is said where it is read
            load_task_of(task, track)
        data = hub_data(task, track)
        if data is not None:
            yield _of_data(task, data, track)


def _of_data(task: str, data: HubData, track: Track) -> Wanted:
    local = os.environ.get(data.local_copy)
    return Wanted(
        "data",
        task,
        f"folder ({local})" if local else f"hub ({data.hub_id})",
        _silently(_read_splits, task, track),
        hub_id=None if local else data.hub_id,
        revision=data.revision,
        here=data_is_here(data),
    )


def _read_splits(task: str, track: Track) -> None:
    """Read a row of every split as a run does, which puts all of them into the cache."""
    if track is Track.VARIABLE:
        variable_task = load_variable_task(task)
        for split in variable_task.splits:
            variable_task.rows(split, 1)
        return
    circuit_task = load_task(task)
    for split in circuit_task.splits:
        circuit_task.pairs(split, 1)


def _artifacts(settings: RunSettings) -> Iterator[Wanted]:
    for ref in settings.artifact:
        if ref.startswith(PREFIX):
            place = HubRef.parse(ref)
            yield Wanted(
                "dictionaries",
                ref,
                f"hub ({place.repo})",
                _silently(place.fetch),
                hub_id=place.repo,
                revision=place.revision,
            )


def _texts(settings: RunSettings) -> Iterator[Wanted]:
    if _tracked(settings) is not Track.SAE:
        return
    runs = [own for own in _runs(settings) if any(one.model != NO_MODEL for one in grounds(own, Track.SAE))]
    for ref in dict.fromkeys(own.corpus for own in runs):
        corpus = load_corpus(ref)
        source = f"package {corpus.package}" if corpus.package else "this machine"
        yield Wanted("text", ref, "hub, streamed" if corpus.stream else source, _silently(_read_text, ref))


def _read_text(ref: str) -> None:
    """Read a document of a text as a run does.

    Raises:
        DataError: It cannot be read, or is streamed from the hub, which keeps nothing here.
    """
    if ref.startswith(HUB_TEXT):
        raise DataError(
            f"{ref} cannot be fetched.",
            why="It is streamed while a run reads it; nothing of it is kept but activations.",
            do="Run where there is a network, or write the text to a file and give it as --corpus FILE.",
        )
    next(iter(load_corpus(ref).documents("train")), None)
