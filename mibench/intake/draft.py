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
from mibench.intake.manifest import (
    MANIFEST,
    MAX_ARTIFACTS,
    MAX_METHODS,
    ArtifactEntry,
    CodeEntry,
    HubFile,
    Submission,
    TrainingData,
)
from mibench.intake.strict_yaml import load_strict

_LISTS: Mapping[str, tuple[type[BaseModel], int]] = {
    "artifacts": (ArtifactEntry, MAX_ARTIFACTS),
    "methods": (CodeEntry, MAX_METHODS),
}
_ADAPTERS = {key: TypeAdapter(kind) for key, (kind, _) in _LISTS.items()}
_WHOLE = "The manifest does not fit."
_KEYS = tuple(Submission.model_fields)
_INSIDE: Mapping[str, type[BaseModel]] = {"training_data": TrainingData, "hub": HubFile}


@dataclass(frozen=True)
class Draft:
    """What was understood of a manifest.

    Attributes:
        submission: The whole manifest; None: something is wrong with it.
        entries: Artifacts that are understood, by their place in the list.
        methods: Methods, likewise.
        listed: Files that it names, those of entries that are not understood included.
        failures: What is wrong with it.
    """

    submission: Submission | None
    entries: Mapping[int, ArtifactEntry]
    methods: Mapping[int, CodeEntry]
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
    lists = {key: _List(values.get(key), key) for key in _LISTS}
    known = values | {key: one.known for key, one in lists.items() if key in values}
    submission, found = None, [fault for one in lists.values() for fault in one.found]
    try:
        submission = Submission.model_validate(known)
    except ValidationError as error:
        # Of a list in which nothing is understood, each entry has said so.
        told = {(key,) for key, one in lists.items() if one.found and not one.entries}
        found = [_failure(part, ()) for part in error.errors() if part["loc"][:1] not in told] + found
    if not any(map(values.get, lists)) and not any(one.file == MANIFEST and one.what == _WHOLE for one in found):
        found.append(Failure("'artifacts' is missing.", "Nothing is handed in.", f"Add it to {MANIFEST}.", MANIFEST))
    artifacts, methods = lists["artifacts"].entries, lists["methods"].entries
    listed = frozenset(file for one in lists.values() for file in one.files)
    return Draft(None if found else submission, artifacts, methods, listed, tuple(found))


def _empty(failure: Failure) -> Draft:
    return Draft(None, {}, {}, frozenset(), (failure,))


class _List:
    """A list of the manifest, entry by entry.

    Attributes:
        entries: What is understood, by its place.
        found: What is wrong with the others.
        known: The list without those; as it is, where nothing is understood.
        files: Files that it names.
    """

    def __init__(self, values: object, key: str) -> None:
        limit = _LISTS[key][1]
        listed = values if isinstance(values, list) and len(values) <= limit else []
        self.entries: dict[int, Any] = {}
        self.found: list[Failure] = []
        for index, value in enumerate(listed):
            try:
                self.entries[index] = _ADAPTERS[key].validate_python(value)
            except ValidationError as error:
                self.found += [_failure(part, (key, index)) for part in error.errors()]
        self.known = [listed[index] for index in self.entries] if self.entries else values
        named = [one.get("file") for one in values[:limit] if isinstance(one, dict)] if isinstance(values, list) else []
        self.files = [file for file in named if isinstance(file, str)]


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
        what, why = f"'{name}' does not fit." if name else _WHOLE, _reason(error) + value
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
    return tuple(_LISTS[parents[0]][0].model_fields) if parents and parents[0] in _LISTS else _KEYS


def _shown(where: tuple[str | int, ...]) -> str:
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return words.removeprefix(".")[:200]
