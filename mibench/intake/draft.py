"""A manifest as far as it can be understood, and everything that is wrong with it, each fault by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from mibench.artifacts.circuit import brief
from mibench.core.errors import DataError
from mibench.core.names import did_you_mean
from mibench.intake.failures import Failure
from mibench.intake.manifest import MANIFEST, MAX_ARTIFACTS, ArtifactEntry, HubFile, Submission, TrainingData
from mibench.intake.strict_yaml import load_strict

_ENTRY = TypeAdapter(ArtifactEntry)
_KEYS = tuple(Submission.model_fields)
_INSIDE: Mapping[str, type[BaseModel]] = {"training_data": TrainingData, "hub": HubFile}


@dataclass(frozen=True)
class Draft:
    """What was understood of a manifest.

    Attributes:
        submission: The whole manifest; None: something is wrong with it.
        entries: Artifacts that are understood, by their place in the list.
        listed: Files that it names, those of entries that are not understood included.
        failures: What is wrong with it.
    """

    submission: Submission | None
    entries: Mapping[int, ArtifactEntry]
    listed: frozenset[str]
    failures: tuple[Failure, ...]


def read_draft(text: str) -> Draft:
    """Read a manifest; what is wrong with one part of it does not hide what is wrong with another."""
    try:
        values = load_strict(text, MANIFEST)
    except DataError as error:
        return _empty(Failure.of(error, MANIFEST))
    if not isinstance(values, dict):
        do = "Write it as mibench submit init does."
        return _empty(Failure(f"{MANIFEST} is not a manifest.", f"It is {brief(values)}, not a mapping.", do, MANIFEST))
    artifacts = values.get("artifacts")
    found: list[Failure] = []
    entries = _entries(artifacts, found) if isinstance(artifacts, list) and len(artifacts) <= MAX_ARTIFACTS else {}
    known = [artifacts[index] for index in entries] if isinstance(artifacts, list) and entries else artifacts
    submission = None
    try:
        submission = Submission.model_validate(values | {"artifacts": known} if "artifacts" in values else values)
    except ValidationError as error:
        # Of a list in which no artifact is understood, each one has said so.
        told = bool(found) and not entries
        found = [
            one
            for part in error.errors()
            if not (told and part["loc"][:1] == ("artifacts",))
            for one in (_failure(part, ()),)
        ] + found
    listed = frozenset(_files(artifacts))
    return Draft(None if found else submission, entries, listed, tuple(found))


def _empty(failure: Failure) -> Draft:
    return Draft(None, {}, frozenset(), (failure,))


def _entries(artifacts: list[Any], found: list[Failure]) -> dict[int, ArtifactEntry]:
    entries = {}
    for index, value in enumerate(artifacts):
        try:
            entries[index] = _ENTRY.validate_python(value)
        except ValidationError as error:
            found += [_failure(part, ("artifacts", index)) for part in error.errors()]
    return entries


def _files(artifacts: object) -> list[str]:
    entries = artifacts if isinstance(artifacts, list) else []
    files = [one.get("file") for one in entries[:MAX_ARTIFACTS] if isinstance(one, dict)]
    return [file for file in files if isinstance(file, str)]


def _failure(error: Any, place: tuple[str | int, ...]) -> Failure:
    """One fault in words."""
    where = (*place, *error["loc"])
    index = where[1] if len(where) > 1 and where[0] == "artifacts" and isinstance(where[1], int) else None
    name = _shown(where)
    if error["type"] == "missing":
        what, why = f"'{name}' is missing.", "Every manifest states it."
        do = f"Add it to {MANIFEST}; mibench submit init writes a template."
    elif error["type"] == "extra_forbidden":
        what, why = f"'{name}' is no key of a manifest.", "Unknown keys are refused, so that nothing is overlooked."
        do = did_you_mean(str(where[-1])[:80], _known_keys(where))
    else:
        value = "" if isinstance(error["input"], dict | list) else f" It is {brief(error['input'])}."
        what, why = f"'{name}' does not fit." if name else "The manifest does not fit.", _reason(error) + value
        do = "Put it in quotes." if error["type"] == "string_type" else f"Correct it in {MANIFEST}."
    return Failure(what, why, do, MANIFEST, index)


def _reason(error: Any) -> str:
    if error["type"] == "string_pattern_mismatch":
        return f"It is not written as {error['ctx']['pattern']} asks."
    words = str(error["msg"]).removeprefix("Value error, ")[:300]
    return words if words.endswith(".") else f"{words}."


def _known_keys(where: tuple[str | int, ...]) -> tuple[str, ...]:
    parents = [part for part in where[:-1] if isinstance(part, str)]
    if parents and parents[-1] in _INSIDE:
        return tuple(_INSIDE[parents[-1]].model_fields)
    return tuple(ArtifactEntry.model_fields) if parents[:1] == ["artifacts"] else _KEYS


def _shown(where: tuple[str | int, ...]) -> str:
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return words.removeprefix(".")[:200]
