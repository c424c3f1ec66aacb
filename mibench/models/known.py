"""Models whose mechanism is known: written from a program when they are first asked for, or shipped with mibench."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from mibench.core.errors import DataError, ModelError
from mibench.core.files import is_folder
from mibench.core.hashing import file_digest
from mibench.core.shipped import DIGESTS_FILE, checked_file, shipped_digests, shipped_places
from mibench.core.truth import KnownTruth, read_truth
from mibench.models.cache import cache_root, converted_folder
from mibench.models.catalogue import CATALOGUE
from mibench.planted.build import PLANTED, WEIGHTS_FILE, Planted, planted_digest, planted_truth, write_planted

SHIPPED = ("data", "truth")


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
    if ref in PLANTED:
        return planted_truth(PLANTED[ref])
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
def _shipped() -> dict[str, list[str]]:
    """Files of the shipped models, by model."""
    root = _shipped_root()
    by_model: dict[str, list[str]] = {}
    for path in [] if root is None else shipped_digests(root):
        model, _, file = path.partition("/")
        by_model.setdefault(model, []).append(file)
    return by_model


def _shipped_root() -> Path | None:
    return next((place for place in shipped_places(*SHIPPED) if (place / DIGESTS_FILE).is_file()), None)


@cache
def _checked(name: str) -> Path:
    root, wanted = _shipped_root() or Path(), _shipped()[name]
    extra = sorted(path.name for path in (root / name).glob("*") if path.name not in wanted)
    try:
        for file in (*wanted, *extra):
            checked_file(root, f"{name}/{file}")
    except DataError as error:
        raise ModelError(
            f"The shipped model {name} has changed.", why=f"{error.what} {error.why}", do=error.do
        ) from error
    return root / name
