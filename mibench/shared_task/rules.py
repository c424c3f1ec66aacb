"""Read a ``round.yaml``: the rules that are published, what stays private, and everything that does not fit."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from mibench.artifacts.circuit import brief
from mibench.core.errors import DataError
from mibench.core.files import MIB, read_text
from mibench.core.names import did_you_mean
from mibench.core.specs import Frozen
from mibench.intake.failures import Failure
from mibench.intake.manifest import FILL_IN
from mibench.intake.round import Board, CellGroup, Limits, RoundRules, Scoring
from mibench.intake.strict_yaml import load_strict
from mibench.shared_task.folder import RULES_FILE

MAX_RULES_BYTES = MIB
_PLAIN = "Write plain values as mibench shared-task init does."


class Private(Frozen):
    """What only the organiser's machine knows; none of it is published."""

    model_folders: dict[str, Path] = Field(default_factory=dict)
    """Folders of models that no list has, by name."""
    texts: dict[str, Path] = Field(default_factory=dict)
    """Files of held-back text, by corpus."""
    folders: dict[str, Path] = Field(default_factory=dict)
    """Folders of gated rows, by task."""

    def under(self, folder: Path) -> Private:
        """The same with whole paths: those that are relative begin at ``folder``."""
        return Private(
            **{key: {name: _whole(folder, path) for name, path in getattr(self, key).items()} for key in _PLACES}
        )


_PLACES = tuple(Private.model_fields)


def _whole(folder: Path, path: Path) -> Path:
    # Unlike Path.expanduser this leaves the home of nobody as it is, so that it is a folder that is not there.
    return Path(os.path.abspath(folder / os.path.expanduser(path)))  # noqa: PTH100, PTH111


@dataclass(frozen=True)
class RulesRead:
    """What was understood of a ``round.yaml``.

    Attributes:
        rules: The rules as far as they are understood, so that what else is wrong with them can be said.
        private: What stays here.
        failures: What is wrong; without any, the rules are whole.
    """

    rules: RoundRules
    private: Private
    failures: tuple[Failure, ...]


_ALONE: dict[str, TypeAdapter[Any]] = {
    "deadline": TypeAdapter(AwareDatetime),
    "limits": TypeAdapter(Limits),
    "scoring": TypeAdapter(Scoring),
}
_Kind = TypeVar("_Kind", bound=BaseModel)
_Fault = tuple[str, Failure]
_PARTS: dict[str, type[BaseModel]] = {
    "cells": CellGroup,
    "boards": Board,
    "limits": Limits,
    "scoring": Scoring,
    "private": Private,
}


def read_rules(path: Path) -> RulesRead:
    """Read a ``round.yaml``; what is wrong with one part of it does not hide what is wrong with another.

    Raises:
        UsageError: There is no such file.
    """
    try:
        values = load_strict(read_text(path, max_bytes=MAX_RULES_BYTES), RULES_FILE)
    except DataError as error:
        return RulesRead(_understood({}), Private(), (Failure(error.what, error.why, _PLAIN, RULES_FILE),))
    if not isinstance(values, dict):
        why = f"It is {brief(values)}, not a mapping."
        failure = Failure(f"{RULES_FILE} has no rules.", why, _PLAIN, RULES_FILE)
        return RulesRead(_understood({}), Private(), (failure,))
    unfilled = _places(values)
    public = {key: value for key, value in values.items() if key != "private"}
    rules, wrong = _parsed(RoundRules, public, ())
    private, wrong_private = _parsed(Private, values.get("private") or {}, ("private",))
    # Of a value that is not filled in, that alone is said.
    faults = [fault for place, fault in (*wrong, *wrong_private) if place not in unfilled]
    failures = (*(_unfilled(place) for place in unfilled), *faults)
    return RulesRead(rules or _understood(public), (private or Private()).under(path.parent), failures)


def _understood(values: dict[Any, Any]) -> RoundRules:
    """The parts that fit; a deadline that does not is far away."""
    known: dict[str, Any] = {"deadline": datetime.max.replace(tzinfo=UTC), "limits": Limits(), "scoring": Scoring()}
    for key, adapter in _ALONE.items():
        with suppress(ValidationError):
            known[key] = adapter.validate_python(values[key]) if key in values else known[key]
    for key, kind in (("cells", CellGroup), ("boards", Board)):
        listed = values.get(key)
        known[key] = tuple(
            one for each in (listed if isinstance(listed, list) else []) if (one := _parsed(kind, each, ())[0])
        )
    return RoundRules.model_construct(**known)


def _parsed(kind: type[_Kind], values: object, inside: tuple[str, ...]) -> tuple[_Kind | None, list[_Fault]]:
    try:
        return kind.model_validate(values), []
    except ValidationError as error:
        found = error.errors()
        # A list whose parts do not fit counts as empty besides.
        inner = {part["loc"][:1] for part in found if len(part["loc"]) > 1}
        told = [part for part in found if part["type"] != "too_short" or part["loc"] not in inner]
        return None, [_fault(part, (*inside, *part["loc"])) for part in told]


def _places(value: Any, where: str = "") -> list[str]:
    """Names of all values that are not filled in."""
    if isinstance(value, dict):
        return [found for key, one in value.items() for found in _places(one, f"{where}.{key}".removeprefix("."))]
    if isinstance(value, list):
        return [found for index, one in enumerate(value) for found in _places(one, f"{where}[{index}]")]
    return [where] if isinstance(value, str) and FILL_IN in value else []


def _unfilled(place: str) -> Failure:
    why = f"{FILL_IN} stands where only the organiser knows."
    return Failure(f"'{place}' is not filled in.", why, f"Write it in {RULES_FILE}.", RULES_FILE)


def _fault(error: Any, where: tuple[str | int, ...]) -> _Fault:
    """The place of one fault, and the fault in words."""
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")[:200]
    if error["type"] == "missing":
        what, why, do = f"'{name}' is missing.", "Every round states it.", f"Add it to {RULES_FILE}."
    elif error["type"] == "extra_forbidden":
        what, why = f"'{name}' is no key of the rules.", "Unknown keys are refused, so that nothing is overlooked."
        do = did_you_mean(str(where[-1])[:80], _keys(where))
    else:
        value = "" if isinstance(error["input"], dict | list) else f" It is {brief(error['input'])}."
        words = str(error["msg"]).removeprefix("Value error, ").removesuffix(".")[:300]
        what, why = f"'{name}' does not fit." if name else "The rules do not fit.", f"{words}.{value}"
        do = f"Correct it in {RULES_FILE}."
    return name, Failure(what, why, do, RULES_FILE)


def _keys(where: tuple[str | int, ...]) -> tuple[str, ...]:
    part = _PARTS.get(str(where[0])) if len(where) > 1 else None
    return tuple(part.model_fields) if part else (*RoundRules.model_fields, "private")
