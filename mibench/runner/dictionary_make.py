"""Dictionaries that methods make, kept in the cache: several tasks score one training."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mibench.artifacts.dictionaries.checks import validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, TrainingFacts
from mibench.artifacts.dictionaries.native import load_native, save_dictionary
from mibench.core.errors import ArtifactError, MethodError
from mibench.core.files import atomic_write, is_file
from mibench.core.hashing import digest
from mibench.core.specs import MethodRef, ModelRef
from mibench.engine.activations.source import ActivationSource
from mibench.engine.activations.store import StoredActivations
from mibench.methods.dictionary_view import DictionaryView
from mibench.models.cache import cache_root
from mibench.records.record import Cost
from mibench.runner.dictionary_bench import DictionaryBench
from mibench.runner.meter import Meter

MAX_NOTE_BYTES = 64 * 1024


class MadeNote(BaseModel):
    """What stands beside a dictionary that is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    digest: str
    """Digest of what it computes."""
    cost: Cost
    """What making it took."""


@dataclass(frozen=True)
class Recipe:
    """What fixes a dictionary that a method makes.

    Attributes:
        method: The method with its parameters and seed.
        place: Where.
        model: The model of the activations.
        source: Training activations.
        facts: What is known of their text.
    """

    method: MethodRef
    place: Place
    model: ModelRef
    source: ActivationSource
    facts: TrainingFacts

    @property
    def key(self) -> str:
        """sha256 of all of it."""
        place = (self.place.model, self.place.hook.name, self.place.target.name)
        parts = (self.method.model_dump(mode="json"), place, self.model.model_dump(mode="json"), self.source.digest)
        return digest(parts)


Call = Callable[[DictionaryView], object]
"""Calls the method with its parameters."""


def make_dictionary(
    recipe: Recipe, call: Call, view: DictionaryView, own: DictionaryBench, *, again: bool
) -> Dictionary:
    """Return the dictionary of a recipe: made in this run, kept from an earlier one, or made now and kept.

    Args:
        recipe: What fixes it.
        call: The method.
        view: What the method sees; where checkpoints go is added.
        own: What was made in this run, and what it took.
        again: Make it even if an earlier run kept it.

    Raises:
        MethodError: The method returned something else.
        ArtifactError: What it returned cannot be used.
    """
    key = recipe.key
    if key not in own.made:
        kept = None if again else _kept(key)
        if kept is None:
            kept = _made(recipe, call, replace(view, checkpoints=_folder() / f"{key}.unfinished"))
        own.made[key], own.costs[key] = kept
    return own.made[key]


def _made(recipe: Recipe, call: Call, view: DictionaryView) -> tuple[Dictionary, Cost]:
    if isinstance(recipe.source, StoredActivations):
        recipe.source.fill()  # All dictionaries share it, so it is no cost of the first one's method.
    with Meter() as meter:
        found = call(view)
    if not isinstance(found, Dictionary):
        raise MethodError(
            f"{recipe.method.name} did not return a dictionary.",
            why=f"It returned a {type(found).__name__}.",
            do="Return view.dictionary(architecture, rule, tensors) from the method.",
        )
    found = replace(found, method=recipe.method.name, params=dict(recipe.method.params))
    validate_dictionary(found)
    _folder().mkdir(parents=True, exist_ok=True)
    save_dictionary(found, _path(recipe.key), overwrite=True)
    note = MadeNote(digest=found.digest, cost=meter.cost())
    atomic_write(_path(recipe.key).with_suffix(".note.json"), note.model_dump_json())
    if view.checkpoints is not None:
        shutil.rmtree(view.checkpoints, ignore_errors=True)
    return found, note.cost


def _kept(key: str) -> tuple[Dictionary, Cost] | None:
    """A dictionary of an earlier run; None if there is none, or it is not what was written."""
    path = _path(key).with_suffix(".note.json")
    if not (is_file(_path(key)) and is_file(path)):
        return None
    with contextlib.suppress(ArtifactError, ValidationError, OSError):
        found, note = load_native(_path(key)), MadeNote.model_validate_json(path.read_bytes()[:MAX_NOTE_BYTES])
        if found.digest == note.digest:
            return found, note.cost
    return None


def _path(key: str) -> Path:
    return _folder() / f"{key}.safetensors"


def _folder() -> Path:
    return cache_root() / "dictionaries"
