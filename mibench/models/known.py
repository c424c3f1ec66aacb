"""Models whose mechanism is known: written from a program when they are first asked for, or shipped with mibench."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from mibench.core.errors import ModelError
from mibench.core.files import is_folder, read_text
from mibench.core.hashing import file_digest
from mibench.core.shipped import shipped_places
from mibench.core.truth import KnownTruth, read_truth
from mibench.models.cache import cache_root, converted_folder
from mibench.models.catalogue import CATALOGUE
from mibench.planted.build import PLANTED, WEIGHTS_FILE, Planted, planted_digest, write_planted

SHIPPED = ("data", "truth")
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True)
class KnownModel:
    """A model that has a name here and a truth beside its weights.

    Attributes:
        name: What users write.
        origin: Weights written by hand, or trained to have the mechanism.
        note: What must be said wherever its numbers are shown.
        family: Its architecture.
        difficulty: Of a planted model, from 0.
        listed: Whether lists show it; harder versions of a listed one are left out there.
    """

    name: str
    origin: Literal["planted", "trained"]
    note: str
    family: str = "gpt2"
    difficulty: int | None = None
    listed: bool = True


@cache
def known_models() -> dict[str, KnownModel]:
    """Return the models with a known mechanism by name: the planted ones, then those that are shipped."""
    planted = [_planted(one) for one in PLANTED.values()]
    trained = [KnownModel(name, "trained", "trained to have a known mechanism") for name in sorted(_shipped())]
    return {one.name: one for one in (*planted, *trained)}


def _planted(one: Planted) -> KnownModel:
    note = f"written by hand: {one.note}"
    return KnownModel(one.name, "planted", note, one.family, one.difficulty, listed=not one.difficulty)


def known_folder(name: str) -> Path:
    """Return the folder of a model of :func:`known_models`; a planted one is written to the cache at first.

    Raises:
        ModelError: The shipped files are not those that were shipped.
        StoreError: The cache cannot be written.
    """
    if known_models()[name].origin == "trained":
        return _checked(name)
    one = PLANTED[name]
    folder = cache_root() / "models" / f"{name}-{one.version}"
    if not is_folder(folder):
        write_planted(one, folder)
    if file_digest(folder / WEIGHTS_FILE) != planted_digest(one):
        raise ModelError(
            f"The stored copy of {name} has changed.",
            why=f"The weights in {folder} are not those of its program.",
            do="Delete that folder; it is written again when the model is used.",
        )
    return folder


def truth_of(ref: str) -> KnownTruth | None:
    """Return what is known of the model that ``ref`` names, before it is loaded; None where nothing is.

    Raises:
        DataError: Its truth cannot be read.
    """
    if ref in known_models():
        return read_truth(known_folder(ref))
    if ref in CATALOGUE:
        return read_truth(converted_folder(CATALOGUE[ref])) if CATALOGUE[ref].is_converted else None
    folder = os.path.expanduser(ref)  # noqa: PTH111  Path.expanduser fails on the home of nobody
    return read_truth(Path(folder)) if is_folder(folder) else None


def note_of(name: str) -> str:
    """Return what must be said wherever numbers of a model are shown; nothing for models without a name here."""
    if name in CATALOGUE:
        return CATALOGUE[name].note
    known = known_models().get(name)
    return known.note if known else ""


@cache
def _shipped() -> dict[str, dict[str, str]]:
    """Digests of the shipped models' files, by model and file."""
    for place in shipped_places(*SHIPPED, "digests.json"):
        if place.is_file():
            found: dict[str, str] = json.loads(read_text(place, max_bytes=_MAX_BYTES))["sha256"]
            by_model: dict[str, dict[str, str]] = {}
            for path, sha in found.items():
                model, _, file = path.partition("/")
                by_model.setdefault(model, {})[file] = sha
            return by_model
    return {}


@cache
def _checked(name: str) -> Path:
    places = shipped_places(*SHIPPED, name)
    folder = next((place for place in places if place.is_dir()), places[0])
    wanted = _shipped()[name]
    extra = [path.name for path in sorted(folder.glob("*")) if path.name not in wanted]
    for file in (*wanted, *extra):
        path = folder / file
        if not path.is_file() or file_digest(path) != wanted.get(file):
            raise ModelError(
                f"The shipped model {name} has changed.",
                why=f"{path} is missing, was added, or its digest is not that of digests.json.",
                do="Install mibench again, or restore the file from the repository.",
            )
    return folder
