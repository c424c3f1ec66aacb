"""What a cell needs before it can run, and why it would be skipped; no model is fetched to find out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mibench.core.errors import DataError, MibenchError, ModelError
from mibench.core.files import is_folder
from mibench.core.specs import Convention, Track
from mibench.models.cache import converted_folder
from mibench.models.catalogue import CATALOGUE, ModelSpec
from mibench.models.hub import hub_error
from mibench.models.known import known_models
from mibench.models.manifest import converted_manifest
from mibench.runner.grounds import NO_MODEL
from mibench.runner.settings import RunSettings
from mibench.tasks.load import load_task
from mibench.tasks.sae.dictionary_task import is_generated, load_dictionary_task
from mibench.tasks.variable_task import load_variable_task

HUB_SECONDS = 10.0
"""How long the hub may take to answer."""
WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json")
"""Either of them comes last in a fetch: with it, a model is whole."""


@dataclass(frozen=True)
class Needs:
    """What one task on one model needs.

    Attributes:
        task: Reference of the task.
        model: Reference of the model.
        weights: Where the weights come from, with what is to be known of them.
        dtype: Type of the weights in memory.
        attention: Attention kernel.
        processing: Whether methods that depend on it take the weights raw or processed; evaluation takes them raw.
        examples: Examples that are evaluated.
        train: Training examples that methods see, or tokens of the training text.
        batch_size: Pairs a batch.
        skip: Why it would be skipped; None: it can run, as far as can be told without running it.
    """

    task: str
    model: str
    weights: str
    dtype: str
    attention: str
    processing: str
    examples: str
    train: str
    batch_size: int
    skip: MibenchError | None = None


class Checks:
    """What can be had here; each model and data set is asked for once."""

    def __init__(self) -> None:
        self._models: dict[str, tuple[str, MibenchError | None]] = {}
        self._data: dict[tuple[str, str, Track], DataError | None] = {}

    def obstacle(self, task: str, model: str, split: str, track: Track = Track.CIRCUIT) -> MibenchError | None:
        """Why a task on a model cannot run here, the model first: no reader for it, or what cannot be had.

        Raises:
            UsageError: The task is unknown.
        """
        # Without a hub, asking for data takes long; where there is no model, there is no need to.
        return self._model(model)[1] or self._data_of(task, split, track)

    def needs(self, task: str, model: str, settings: RunSettings, track: Track = Track.CIRCUIT) -> Needs:
        """What a task on a model needs under ``settings``.

        Raises:
            UsageError: The task is unknown.
        """
        spec = CATALOGUE.get(model)
        mib = settings.convention is Convention.MIB
        return Needs(
            task=task,
            model=model,
            weights=self._model(model)[0],
            dtype=settings.dtype,
            attention=settings.attention or (spec.attention if spec else "the model's default"),
            processing="as MIB's where it matters" if mib else "raw",
            examples=_first(settings.limit),
            train=_training(task, settings, track),
            batch_size=settings.batch_size,
            skip=self.obstacle(task, model, settings.split, track),
        )

    def _model(self, ref: str) -> tuple[str, MibenchError | None]:
        if ref not in self._models:
            self._models[ref] = model_source(ref)
        return self._models[ref]

    def _data_of(self, task: str, split: str, track: Track) -> DataError | None:
        key = (task, split, track)
        if key not in self._data:
            self._data[key] = _data_obstacle(*key)
        return self._data[key]


def _training(task: str, settings: RunSettings, track: Track) -> str:
    """What methods are shown: examples of the task, or a text."""
    if track is not Track.SAE:
        return _first(settings.train_examples)
    return "generated" if is_generated(task) else f"{settings.train_tokens:,} tokens"


def _first(limit: int | None) -> str:
    return "all" if limit is None else f"first {limit}"


def model_source(ref: str) -> tuple[str, MibenchError | None]:
    """Where a model comes from, in words, and why it cannot be had; what is wrong with a folder shows in loading."""
    if ref == NO_MODEL:
        return "generated data", None
    if ref in CATALOGUE:
        return _of_catalogue(CATALOGUE[ref])
    if ref in known_models():
        return "mibench itself", None
    hub_id, at, revision = ref.partition("@")
    if is_folder(ref) or not at:
        return "folder", None
    return _on_hub(hub_id, revision, gated=False)


def _of_catalogue(spec: ModelSpec) -> tuple[str, MibenchError | None]:
    if not spec.is_converted:
        return _on_hub(spec.hub_id, spec.revision, gated=spec.gated)
    if converted_manifest(converted_folder(spec), spec) is not None:
        return "this machine", None
    command, where = f"mibench models pull {spec.name}", spec.package or f"hub ({spec.hub_id})"
    why = f"Its weights are in {where}, and have not been converted here."
    return where, ModelError(f"{spec.name} is not on this machine.", why=why, do=command)


def _on_hub(hub_id: str, revision: str | None, *, gated: bool) -> tuple[str, MibenchError | None]:
    pinned = f"@{revision[:8]}" if revision else ", revision not pinned"
    licence = ", licence to be accepted" if gated else ""
    if _cached(hub_id, revision):
        return f"hub cache ({hub_id}{pinned})", None
    return f"hub ({hub_id}{pinned}{licence})", _hub_obstacle(hub_id, revision, gated=gated)


def _cached(hub_id: str, revision: str | None) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(hub_id, name, revision=revision), str) for name in WEIGHT_FILES)


def _hub_obstacle(hub_id: str, revision: str | None, *, gated: bool) -> ModelError | None:
    """Why the hub would not give a model."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    api = HfApi()
    ask: list[Callable[[], object]] = [lambda: api.model_info(hub_id, revision=revision, timeout=HUB_SECONDS)]
    if gated:
        ask.append(lambda: api.auth_check(hub_id))
    try:
        for question in ask:
            question()
    except (OSError, ValueError, HTTPError) as error:
        return hub_error(hub_id, revision, error, gated=gated)
    return None


def _data_obstacle(task: str, split: str, track: Track) -> DataError | None:
    """Why the examples of a task cannot be had; a data set, unlike a model, is fetched to find out."""
    try:
        if track is Track.SAE:
            load_dictionary_task(task)
        elif track is Track.VARIABLE:
            load_variable_task(task).rows(split, 1)
        else:
            load_task(task).pairs(split, 1)
    except DataError as error:
        return error
    return None
