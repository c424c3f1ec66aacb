"""Tasks, models, levels and seeds in the names of folders and files, as MIB and its participants write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from mibench.core.specs import Level, Track
from mibench.intake.cells import TASKS
from mibench.intake.imports.items import Said
from mibench.models.catalogue import CATALOGUE
from mibench.models.known import known_models

_TASKS: Mapping[str, tuple[str, ...]] = {
    "ioi": ("mib/ioi",),
    "mcqa": ("mib/mcqa",),
    "arithmetic-addition": ("mib/arithmetic-addition",),
    "addition": ("mib/arithmetic-addition",),
    "arithmetic-subtraction": ("mib/arithmetic-subtraction",),
    "subtraction": ("mib/arithmetic-subtraction",),
    "arithmetic": ("mib/arithmetic-addition", "mib/arithmetic-subtraction"),
    "arc-easy": ("mib/arc-easy",),
    "arc-challenge": ("mib/arc-challenge",),
    "arc": ("mib/arc-easy", "mib/arc-challenge"),
}
"""What MIB calls its tasks, and ours."""
_MODELS: Mapping[str, tuple[str, ...]] = {
    "gpt2-small": ("gpt2",),
    "qwen2-5": ("qwen2.5-0.5b",),
    "qwen": ("qwen2.5-0.5b",),
    "gemma2": ("gemma-2-2b",),
    "gemma2-2b": ("gemma-2-2b",),
    "gemma-2": ("gemma-2-2b",),
    "gemma": ("gemma-2-2b",),
    "llama3": ("llama-3.1-8b",),
    "llama3-1": ("llama-3.1-8b",),
    "llama-3-1": ("llama-3.1-8b",),
    "llama": ("llama-3.1-8b", "llama-3.1-8b-instruct"),
    "pythia": ("pythia-160m", "pythia-160m-deduped"),
    "smollm2": ("smollm2-135m",),
}
"""What MIB calls its models, and ours; its Llama is the base version in this track."""
_LEVELS = {"edge": Level.EDGE, "node": Level.NODE, "submodule": Level.NODE, "neuron": Level.NEURON}
_SEED = re.compile(r"(?<![a-z0-9])seed-?(\d{1,9})(?![a-z0-9])")
_SUFFIXES = (".json", ".pt", ".safetensors", ".npz")


@cache
def _known(key: str) -> Mapping[str, tuple[str, ...]]:
    if key == "level":
        return {name + end: (level.value,) for name, level in _LEVELS.items() for end in ("", "s")}
    own = TASKS[Track.CIRCUIT].names() if key == "task" else [*CATALOGUE, *known_models()]
    # MIB's own words go before tasks of the same name that are generated here.
    return {_plain(name): (name,) for name in own} | dict(_TASKS if key == "task" else _MODELS)


def in_names(place: str, key: str) -> list[Said]:
    """What the names of a place can mean, the innermost that means something: a task, model or level.

    Args:
        place: Path inside the source.
        key: ``task``, ``model`` or ``level``.
    """
    for part in reversed(_parts(place)):
        words = _longest(_plain(part), _known(key))
        found = [Said(value, f"'{word}' in the name {part}") for word in words for value in _known(key)[word]]
        if found:
            return found
    return []


def seed_of(place: str) -> int | None:
    """The seed that a name has, such as ``seed1``."""
    found = [match for part in _parts(place) for match in _SEED.findall(_plain(part))]
    return int(found[-1]) if found else None


def key_of(name: str) -> tuple[str, ...]:
    """Tasks, models, levels and seeds that a file's name has: files with other ones are not of one series."""
    words = [word for key in ("task", "model", "level") for word in sorted(_longest(_plain(_stem(name)), _known(key)))]
    return (*words, *_SEED.findall(_plain(_stem(name))))


def _parts(place: str) -> list[str]:
    parts = [part for part in place.split("/") if part not in ("", ".")]
    return [*parts[:-1], _stem(parts[-1])] if parts else []


def _stem(name: str) -> str:
    suffix = next((one for one in _SUFFIXES if name.lower().endswith(one)), "")
    return name[: len(name) - len(suffix)]


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _longest(text: str, known: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The words of ``known`` that ``text`` has, but for those that are a part of a longer one there."""
    taken: list[tuple[int, int]] = []
    found = []
    for word in sorted(known, key=len, reverse=True):
        for match in re.finditer(rf"(?<![a-z0-9]){re.escape(word)}(?![a-z0-9])", text):
            start, end = match.span()
            if not any(first < end and start < last for first, last in taken):
                taken.append((start, end))
                found.append(word)
    return list(dict.fromkeys(found))
