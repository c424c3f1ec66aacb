"""Dictionaries that methods make, kept in the cache: several tasks score one training."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mibench.artifacts.dictionaries.checks import validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, TrainingFacts
from mibench.artifacts.dictionaries.native import load_native, save_dictionary
from mibench.core.errors import ArtifactError
from mibench.core.files import atomic_write, is_file
from mibench.core.hashing import digest
from mibench.core.specs import MethodRef, ModelRef
from mibench.engine.activations.source import ActivationSource
from mibench.engine.activations.store import StoredActivations
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.returned import artifact_of
from mibench.models.cache import cache_root
from mibench.records.record import Cost
from mibench.runner.cells.meter import Meter
from mibench.runner.dictionaries.bench import DictionaryBench
from mibench.runner.driving.claims import held

MAX_NOTE_BYTES = 64 * 1024
_SPENT = "cost.json"


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
        view: What the method sees; where checkpoints go is added, and who hears of them.
        own: What was made in this run, and what it took.
        again: Make it even if an earlier run kept it.

    Raises:
        MethodError: The method returned something else.
        ArtifactError: What it returned cannot be used.
        StoreError: The cache cannot be written to.
    """
    key = recipe.key
    if key not in own.made:
        kept = None if again else _kept(key)
        if kept is None:
            with held(_folder(), key):  # another run may be at it: what is unfinished is that of one
                kept = (None if again else _kept(key)) or _made(recipe, call, view)
        own.made[key], own.costs[key] = kept
    return own.made[key]


def _made(recipe: Recipe, call: Call, view: DictionaryView) -> tuple[Dictionary, Cost]:
    if isinstance(recipe.source, StoredActivations):
        recipe.source.fill()  # All dictionaries share it, so it is no cost of the first one's method.
    folder = _folder() / f"{recipe.key}.unfinished"
    earlier = _spent(folder)
    with Meter() as meter:
        # A training that was stopped goes on from what it kept, and took what it took until then.
        returned = call(replace(view, checkpoints=folder, saved=lambda: _keep_spent(folder, [*earlier, meter.cost()])))
    asked = "view.dictionary(architecture, rule, tensors)"
    found = artifact_of(returned, Dictionary, recipe.method.name, noun="a dictionary", call=asked)
    found = replace(found, method=recipe.method.name, params=dict(recipe.method.params))
    validate_dictionary(found)
    _folder().mkdir(parents=True, exist_ok=True)
    save_dictionary(found, _path(recipe.key), overwrite=True)
    note = MadeNote(digest=found.digest, cost=_sum([*earlier, meter.cost()]))
    atomic_write(_path(recipe.key).with_suffix(".note.json"), note.model_dump_json())
    shutil.rmtree(folder, ignore_errors=True)
    return found, note.cost


def _spent(folder: Path) -> list[Cost]:
    """What earlier pieces of an unfinished training took, up to what they kept."""
    with contextlib.suppress(ValidationError, OSError):
        return [Cost.model_validate_json((folder / _SPENT).read_bytes()[:MAX_NOTE_BYTES])]
    return []


def _keep_spent(folder: Path, pieces: Sequence[Cost]) -> None:
    atomic_write(folder / _SPENT, _sum(pieces).model_dump_json())


def _sum(pieces: Sequence[Cost]) -> Cost:
    """Of all pieces together; memory is that of the largest."""
    return Cost(
        seconds=sum(one.seconds for one in pieces),
        cpu_seconds=sum(one.cpu_seconds or 0.0 for one in pieces),
        peak_bytes=max(one.peak_bytes or 0 for one in pieces) or None,
        forward_passes=sum(one.forward_passes for one in pieces),
        backward_passes=sum(one.backward_passes for one in pieces),
        examples=sum(one.examples for one in pieces),
    )


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
