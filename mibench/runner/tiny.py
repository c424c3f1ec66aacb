"""A run made so small that it only shows whether everything works: every method and every kind of cell, no number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode

from mibench.core.errors import MibenchError, UsageError
from mibench.core.sites import Component
from mibench.core.specs import Track
from mibench.methods.method import METHODS, Method
from mibench.models.footprint import footprint
from mibench.models.known import known_models
from mibench.runner.cell_keys import CellKeys, MethodKeys
from mibench.runner.plan import track_of
from mibench.runner.settings import RunSettings
from mibench.runner.sources import find_method
from mibench.runner.variables.ground import heads_of, positions_of
from mibench.tasks.variable_task import load_variable_task

BOARD = "tiny"
"""Board of its records, so that they are never ranked."""
EXAMPLES: Mapping[Track, int] = MappingProxyType({Track.CIRCUIT: 2, Track.VARIABLE: 4, Track.SAE: 4})
"""Examples that are evaluated, and shown to methods; of each counterfactual set, where a model fails some."""
TOKENS = 1024
"""Tokens that dictionaries are trained on."""
PLACES = 2
"""Layers, positions and heads of the variable track, and hook points of dictionaries."""
SLOW: Mapping[str, Any] = MappingProxyType(
    {
        "steps": 2,
        "epochs": 1,
        "resamples": 2,
        "n_samples": 2,
        "draws": 2,
        "thresholds": 1,
        "blocks": 1,
        "hidden": 8,
        "sparsities": (1e-3,),
        "tokens": TOKENS,
    }
)
"""Parameters that make methods long, by name, and the most that they are here."""
_BATCH = {Track.SAE: 256}
"""Rows of a step, where more of them than there are here would make one step of the whole training."""
_MEMBERS = "members"


def tiny(settings: RunSettings) -> RunSettings:
    """The same run, small: few examples, steps, places and seeds, with a folder of its own for its records.

    Cells that differ from others only in how hard a model of the same known mechanism is are left out.

    Raises:
        UsageError: A method or a task is not known, or the folder has no name.
    """
    methods = {ref: find_method(ref) for ref in settings.methods}
    track = track_of(list(methods.values()))
    own = {
        "tiny": True,
        "limit": EXAMPLES[track],
        "train_limit": EXAMPLES[track],
        "seeds": 1,
        "only": "all",
        "baseline": None,
        "out": folder_of(settings.out),
        "set": settings.set | _small(methods, settings.set, track),
        "sweep": {name: [_without_slow(one) for one in variants[:1]] for name, variants in settings.sweep.items()},
        "cells": [_cell(cell, settings, track) for cell in _kinds(settings.cells)],
    }
    if track is Track.CIRCUIT:
        # Padded, so that examples of several lengths are one batch: small batches cost as much as large ones.
        own |= {"floor_draws": min(1, settings.floor_draws), "padded": True}
    if track is Track.SAE:
        own |= {"train_tokens": min(TOKENS, settings.train_tokens), "hook": settings.hook[:PLACES]}
    if track is Track.VARIABLE and not settings.cells:
        own |= _places(settings)
    return settings.model_copy(update=own)


def folder_of(out: Path) -> Path:
    """The folder of the records of a small run, beside that of the real one.

    Raises:
        UsageError: That has no name of its own.
    """
    if out.name in {"", ".."}:
        why = "The records of a small run go beside it, to a folder named after it, and it has no name of its own."
        raise UsageError(f"--out {out} cannot be used with --tiny.", why=why, do="Give a name: --out records.")
    return out.with_name(f"{out.name}-tiny")


def left_out(settings: RunSettings) -> int:
    """How many cells a small run leaves out."""
    return len(settings.cells) - len(_kinds(settings.cells))


def board_of(settings: RunSettings) -> str | None:
    """The board of all records of a small run; None: it is no small one."""
    return BOARD if settings.tiny else None


def _small(methods: Mapping[str, Method], given: Mapping[str, Any], track: Track) -> dict[str, Any]:
    """Parameters of each method by ``method.name``, as small as they may be."""
    most = dict(SLOW) | ({"batch": _BATCH[track]} if track in _BATCH else {})
    found: dict[str, Any] = {}
    for method in methods.values():
        for name, parameter in method.known.items():
            key = f"{method.name}.{name}"
            stated = given.get(key, given.get(name, parameter.default))
            if name in most:
                found[key] = _least(most[name], stated)
            elif name == _MEMBERS and isinstance(stated, str):
                found[key] = ",".join(_member(text.strip()) for text in stated.split(","))
    return found


def _least(most: Any, stated: Any) -> Any:
    if isinstance(most, tuple):
        return list(most)
    number = isinstance(stated, int) and not isinstance(stated, bool)
    return min(most, stated) if number else most


def _member(text: str) -> str:
    """A member of an ensemble, ``name?key=value``, with small parameters."""
    name, _, written = text.partition("?")
    component = METHODS.components.get(name.partition("@")[0])
    method = None if component is None else component.load()
    if not isinstance(method, Method):
        return text
    values = dict(parse_qsl(written, keep_blank_values=True))
    values |= {key: str(most) for key, most in SLOW.items() if key in method.known and not isinstance(most, tuple)}
    return f"{name}?{urlencode(values)}" if values else name


def _without_slow(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in SLOW}


def _kinds(cells: list[CellKeys]) -> list[CellKeys]:
    """One cell of each kind: of a task on planted models of one family, the first stands for all."""
    found: dict[str, CellKeys] = {}
    for cell in cells:
        found.setdefault(cell.model_copy(update={"model": _kind(cell.model)}).model_dump_json(), cell)
    return list(found.values())


def _kind(model: str) -> str:
    known = known_models().get(model)
    return model if known is None or known.origin != "planted" else f"planted {known.family}"


def _cell(cell: CellKeys, settings: RunSettings, track: Track) -> CellKeys:
    """A cell without what it says of sizes, so that the run's count."""
    by_method = {
        name: MethodKeys(
            set={key: value for key, value in keys.set.items() if key not in SLOW},
            train_limit=None,
            batch_size=keys.batch_size,
            batch_tokens=keys.batch_tokens,
        )
        for name, keys in cell.by_method.items()
    }
    own: dict[str, Any] = {"limit": None, "train_limit": None, "floor_draws": None, "padded": None}
    own["by_method"] = by_method
    if track is Track.SAE:
        own |= {"train_tokens": None, "hook": None if cell.hook is None else cell.hook[:PLACES]}
    if track is Track.VARIABLE:
        own |= _places(settings.of_cell(cell))
    return cell.model_copy(update=own)


def _places(settings: RunSettings) -> dict[str, Any]:
    """A few layers, positions or heads of a run on one or several models."""
    try:
        tasks = [load_variable_task(task) for task in settings.task]
        positions = [one.name for one in positions_of(settings, tasks[0])][:PLACES] if len(tasks) == 1 else []
    except MibenchError:  # its cells will say so
        return {}
    found: dict[str, Any] = {"position": positions or settings.position}
    heads = heads_of(settings, settings.model[0], tasks[0]) if settings.component is Component.HEAD else ()
    if heads:
        return found | {"heads": [f"{layer}.{head}" for layer, head in heads[:PLACES]]}
    sizes = [size.n_layers for size in map(footprint, settings.model) if size is not None]
    middle = min(sizes, default=1) // 2
    layers = settings.layer[:PLACES] or sorted({middle, max(0, middle - 1)})
    return found | ({"layer": layers} if sizes or settings.layer else {})
