"""Convert what was found to files of mibench's own, and hold them against tasks and models as a check would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.native import save_dictionary
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import save_featurizers
from mibench.artifacts.files import save_scores
from mibench.core.errors import MibenchError
from mibench.core.hashing import file_digest
from mibench.intake.cells import repeated, task_faults
from mibench.intake.failures import Failure
from mibench.intake.imports.context import Context
from mibench.intake.imports.items import Artifact, Item
from mibench.intake.manifest import ArtifactEntry
from mibench.intake.model_sizes import ModelSizes, model_sizes
from mibench.intake.reading import artifact_faults
from mibench.intake.rules import Rules
from mibench.intake.template import FOLDER

SUFFIX = ".safetensors"
_ENDINGS = (".json", ".pt", SUFFIX, ".npz")
_LONGEST = 120
_LARGE = "Convert it with mibench convert, put the .safetensors on the hub, and name it in the manifest (key 'hub')."


def save(item: Item, artifact: Artifact, folder: Path, taken: set[str]) -> None:
    """Write an artifact of which everything is known, and note what the manifest says of it.

    Args:
        item: What is known of it; it takes the entry, or a failure.
        artifact: The artifact.
        folder: Where files are collected.
        taken: Names of files there, in one case.

    Raises:
        ArtifactError: The artifact cannot be written.
        StoreError: The disk is full.
    """
    name = _name(item.place if item.place != "." else item.found.paths[0].name, taken)
    limit = Rules().file_bytes
    if isinstance(artifact, Dictionary) and sum(one.nbytes for one in artifact.tensors.values()) > limit:
        size = sum(one.nbytes for one in artifact.tensors.values())
        _too_large(item, size, limit)
        return
    path = folder / name
    if isinstance(artifact, CircuitScores):
        save_scores(artifact, path)
    elif isinstance(artifact, Featurizers):
        save_featurizers(artifact, path)
    else:
        save_dictionary(artifact, path)
    size = path.stat().st_size
    if size > limit:
        _too_large(item, size, limit)
        return
    item.entry = _entry(item) | {"file": f"{FOLDER}/{name}", "sha256": file_digest(path), "bytes": size}


def check(items: list[Item], folder: Path, context: Context) -> None:
    """Check converted artifacts as a submission's are; each takes its failures.

    Args:
        items: The artifacts; those without an entry are left out.
        folder: Where their files are.
        context: Knows models on this machine.
    """
    entries: dict[int, ArtifactEntry] = {}
    for index, item in enumerate(items):
        if item.entry:
            entry = _parsed(item)
            if entry is not None:
                entries[index] = entry
                _check_one(index, entry, item, folder, context)
    for failure in repeated(entries):
        first, _, second = failure.what.partition(" and ")
        pair = [_place(items, word) for word in (first, second)]
        what = f"{pair[0]} and {pair[1]} {'are the same file' if 'same file' in failure.what else 'are for one cell'}."
        do = "Leave one out of the source, or say what they are with --task, --model or --level FOLDER=VALUE."
        items[failure.index or 0].failures.append(Failure(what, failure.why, do, pair[1]))
    total = sum(item.entry.get("bytes", 0) for item in items)
    if total > Rules().total_bytes and items:
        what, why = "The submission is too large.", f"All files together have {total} bytes; the limit is "
        items[0].failures.append(Failure(what, f"{why}{Rules().total_bytes}.", "Import a part of it, or use the hub."))


def _place(items: list[Item], words: str) -> str:
    found = re.search(r"artifacts\[(\d+)\]", words)
    return items[int(found[1])].place if found else words


def _parsed(item: Item) -> ArtifactEntry | None:
    try:
        return ArtifactEntry.model_validate(item.entry)
    except ValidationError as error:
        for part in error.errors():
            why = str(part["msg"]).removeprefix("Value error, ")
            where = ".".join(map(str, part["loc"]))
            do = "Say it with the option of that name."
            item.failures.append(Failure(f"{item.place}: '{where}' does not fit.", why, do, item.place))
        return None


def _check_one(index: int, entry: ArtifactEntry, item: Item, folder: Path, context: Context) -> None:
    for failure in task_faults(index, entry):
        what, why = failure.what.replace(f"artifacts[{index}]", item.place), f"{item.place} is to be for it."
        item.failures.append(Failure(what, why, failure.do, item.place))
    sizes: dict[str, ModelSizes] = {}
    for model in entry.models:
        try:
            sizes[model] = model_sizes(model, context.folders)
        except MibenchError as error:
            item.failures.append(Failure.of(error, item.place))
    path = folder / entry.path.removeprefix(f"{FOLDER}/")
    for fault in artifact_faults(path, entry, sizes):
        item.fail(fault, folder)


def _entry(item: Item) -> dict[str, Any]:
    """What the manifest says, in its order."""
    model, task = item.value("model"), item.value("task")
    entry: dict[str, Any] = {"track": item.track.value, "tasks": [task], "models": [model] if model else []}
    entry |= {key: item.value(key) for key in _KEYS[item.track.value] if item.value(key) is not None}
    if "budget" in entry:
        entry["budget"] = float(entry["budget"])
    return entry | ({"seed": int(item.said["seed"].value)} if "seed" in item.said else {})


_KEYS: Mapping[str, tuple[str, ...]] = {"circuit": ("level", "budget"), "variable": ("variable",), "sae": ("hook",)}


def _too_large(item: Item, size: int, limit: int) -> None:
    why = f"It has {size} bytes once it is converted; the limit is {limit}."
    item.failures.append(Failure(f"{item.place} is too large to hand in.", why, _LARGE, item.place))


def _name(place: str, taken: set[str]) -> str:
    """The name that a converted file gets, from where it was."""
    ending = next((one for one in _ENDINGS if place.lower().endswith(one)), "")
    text = re.sub(r"[^A-Za-z0-9_.]+", "-", place[: len(place) - len(ending)])
    stem = re.sub(r"\.\.+", ".", text)[-_LONGEST:].strip("-._") or "artifact"
    number, name = 1, f"{stem}{SUFFIX}"
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}{SUFFIX}"
    taken.add(name.casefold())
    return name
