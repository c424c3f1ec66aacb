"""A dictionary as one safetensors file: what it is stands as JSON in the metadata, its numbers are the tensors.

Equal content gives equal bytes. Types, shapes and sizes are checked before a tensor is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import MAX_TEXT, check_shapes, refuse, usable, validate_dictionary
from mibench.artifacts.dictionaries.dictionary import (
    Activation,
    Architecture,
    Array,
    Dictionary,
    Place,
    Rule,
    Scaling,
    TrainingFacts,
)
from mibench.artifacts.dictionaries.header import MAX_HEADER, SafetensorsHeader, read_header
from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.core.files import atomic_path, check_name, existing_file, exists, is_file, is_folder
from mibench.core.hashing import canonical_json
from mibench.core.hook_points import HookPoint

SUFFIX = ".safetensors"
SCHEMA_VERSION = 1
ENTRY = "mibench"
_Name = Annotated[str, Field(max_length=MAX_TEXT)]
_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    """A part of the header; unknown fields and other types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class PlaceEntry(_Part):
    """Where."""

    model: _Name
    hook: _Name
    output: _Name | None


class RuleEntry(_Part):
    """How it computes."""

    activation: Activation
    pre_bias: bool
    k: int | None
    scaling: Scaling
    scale: _Number


class TrainingEntry(_Part):
    """What is known of its training."""

    corpus: _Name | None
    tokens: int | None
    context: int | None
    bos: bool | None
    trained_on_bos: bool | None
    seed: int | None
    l0: _Number | None
    fvu: _Number | None
    groups: tuple[int, ...]


class Header(_Part):
    """The JSON in the metadata."""

    schema_version: Literal[1]
    artifact: Literal["dictionary"]
    place: PlaceEntry
    architecture: Architecture
    rule: RuleEntry
    training: TrainingEntry
    method: _Name | None
    params: dict[str, JsonValue]
    meta: dict[str, JsonValue]


def save_dictionary(dictionary: Dictionary, path: Path | str, *, overwrite: bool = False) -> None:
    """Check a dictionary and write it, whole or not at all.

    Args:
        dictionary: The dictionary.
        path: A file with the suffix ``.safetensors``.
        overwrite: Replace a file that is there.

    Raises:
        UsageError: The suffix is another, or something is there.
        ArtifactError: The dictionary cannot be used.
        StoreError: It cannot be written.
    """
    from safetensors.numpy import save_file

    target = Path(path)
    check_name(target)
    if target.suffix.lower() != SUFFIX:
        raise UsageError(f"{target} names no dictionary.", why=f"Its suffix is '{target.suffix}'.", do=f"Use {SUFFIX}.")
    if exists(target) and (not overwrite or is_folder(target)):
        raise UsageError(f"{target} is not overwritten.", why="It exists.", do="Choose another name or remove it.")
    validate_dictionary(dictionary)
    text = _header(dictionary)
    with atomic_path(target) as temporary:
        save_file(dict(dictionary.tensors), temporary, metadata={ENTRY: text})


def _header(dictionary: Dictionary) -> str:
    place = dictionary.place
    values = {
        "schema_version": SCHEMA_VERSION,
        "artifact": "dictionary",
        "place": {
            "model": place.model,
            "hook": place.hook.name,
            "output": None if place.output is None else place.output.name,
        },
        "architecture": dictionary.architecture,
        "rule": asdict(dictionary.rule),
        "training": asdict(dictionary.training),
        "method": dictionary.method,
        "params": dict(dictionary.params),
        "meta": dict(dictionary.meta),
    }
    text = canonical_json(values).decode()
    # In the file it is text within JSON, with its quotes escaped.
    if len(json.dumps(text, ensure_ascii=False).encode()) > MAX_HEADER - 2**14:
        raise refuse("params and meta make a header that is too long.", "Keep less there.")
    return text


def is_native_dictionary(path: Path | str) -> bool:
    """Whether a file says that it holds a dictionary in this format; only its header is read."""
    found = Path(path)
    if found.suffix.lower() != SUFFIX or not is_file(found):
        return False
    try:
        values = json.loads(read_header(found).metadata.get(ENTRY, "{}"))
    except (ArtifactError, OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and values.get("artifact") == "dictionary"


def load_native(path: Path | str) -> Dictionary:
    """Read a dictionary that ``save_dictionary`` wrote, and check it.

    Raises:
        UsageError: There is no such file.
        ArtifactError: It is damaged, too large, or not one of ours.
    """
    found = existing_file(path)
    with usable(found):
        dictionary = _read(found)
        validate_dictionary(dictionary)
        return dictionary


def _read(path: Path) -> Dictionary:
    found = read_header(path)
    header = _parsed(found.metadata.get(ENTRY))
    place, rule = _place(header.place), Rule(**header.rule.model_dump())
    _check_tensors(found, place, rule)
    return Dictionary(
        place=place,
        architecture=header.architecture,
        rule=rule,
        tensors=_arrays(path, found),
        training=TrainingFacts(**header.training.model_dump()),
        method=header.method,
        params=header.params,
        meta=header.meta,
    )


def _parsed(text: str | None) -> Header:
    if text is None:
        raise refuse(f"It has no '{ENTRY}' entry in its metadata.", "Write it with save_dictionary, or convert it.")
    try:
        values = json.loads(text)
        version = values.get("schema_version") if isinstance(values, dict) else None
        if version not in (None, SCHEMA_VERSION):
            raise refuse(f"It has schema version {brief(version)}.", "Update mibench.")
        # From the text, not from the values: lists are tuples there, and nothing else is converted.
        return Header.model_validate_json(text)
    except (ValidationError, ValueError, RecursionError) as error:
        why = " ".join(str(error).splitlines()[:3])
        raise refuse(f"Its header is not understood: {why:.300}", "Write it with mibench.") from error


def _place(entry: PlaceEntry) -> Place:
    try:
        output = None if entry.output is None else HookPoint.parse(entry.output)
        return Place(entry.model, HookPoint.parse(entry.hook), output)
    except DataError as error:
        raise refuse(f"{error.what} {error.why}", error.do) from error


def _check_tensors(found: SafetensorsHeader, place: Place, rule: Rule) -> None:
    for name, entry in found.tensors.items():
        if entry.dtype != "F32":
            raise refuse(f"'{name:.40}' is {entry.dtype}.", "Save it as float32.")
    if rule.k is not None and rule.k < 1:
        raise refuse(f"k is {brief(rule.k)}.", "Say how many latents are kept, at least 1.")
    check_shapes(place, rule, {name: entry.shape for name, entry in found.tensors.items()})


def _arrays(path: Path, found: SafetensorsHeader) -> Mapping[str, Array]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as stream:
            return {name: _array(stream, name) for name in sorted(found.tensors)}
    except SafetensorError as error:
        raise refuse(f"It is not a whole safetensors file: {error!s:.200}", "Make it again.") from error


def _array(stream: Any, name: str) -> Array:
    array: Array = stream.get_tensor(name)
    array.setflags(write=False)
    return array
