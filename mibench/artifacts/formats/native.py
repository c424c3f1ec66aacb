"""mibench's own format: safetensors ``scores``, ``scored``, ``in_graph``, with a JSON header as metadata.

A series has its circuits in ``circuits_signed`` and ``circuits_absolute``, or in one of them: eight items a byte, the
first in the highest bit, ``[circuits, ceil(items / 8)]``; older files have a byte each, ``[circuits, *shape]``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from mibench.artifacts.circuit import CircuitScores, brief, checked_graph, refuse, shape_of
from mibench.artifacts.formats.mib import Wanted
from mibench.artifacts.selection import Selection
from mibench.artifacts.series import BUDGETS, CircuitSeries, Member, series_of
from mibench.core.hashing import canonical_json
from mibench.core.specs import Level, Ranking
from mibench.graph.graph import Graph

SCHEMA_VERSION = 1
MAX_HEADER = 2**20
_DTYPES = {"scores": ("F32", "F64"), "scored": ("BOOL",), "in_graph": ("BOOL",)}
_CIRCUITS = {f"circuits_{ranking}": ranking for ranking in Ranking}
_Short = Annotated[str, Field(max_length=200)]


class _Part(BaseModel):
    """A part of the header; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GraphHeader(_Part):
    """Sizes of the graph."""

    n_layers: int
    n_heads: int
    parallel: bool


class Header(_Part):
    """The JSON in the metadata entry ``mibench``."""

    schema_version: Literal[1]
    level: Level
    graph: GraphHeader
    d_model: int | None
    binary: bool
    selection: _Short | dict[str, JsonValue]
    method: _Short
    params: dict[str, JsonValue]
    meta: dict[str, JsonValue]
    counters: dict[str, int]
    notes: tuple[str, ...]
    series: dict[Ranking, tuple[_Short, ...]] | None = None
    """Names of the circuits of a series."""


def write(scores: CircuitScores, path: Path) -> None:
    """Write ``scores`` to ``path``.

    Raises:
        ArtifactError: Parameters or meta are not JSON, or are too long.
    """
    from safetensors.numpy import save_file

    arrays = {"scores": scores.scores, "scored": scores.scored}
    if scores.in_graph is not None:
        arrays["in_graph"] = scores.in_graph
    if isinstance(scores, CircuitSeries):
        for ranking, members in scores.circuits.items():
            arrays[f"circuits_{ranking}"] = np.packbits([one.members.ravel() for one in members], axis=1)
    tensors = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(tensors, path, metadata={"mibench": _header(scores).decode()})


def _header(scores: CircuitScores) -> bytes:
    graph = scores.graph
    values = {
        "schema_version": SCHEMA_VERSION,
        "level": scores.level,
        "graph": {"n_layers": graph.n_layers, "n_heads": graph.n_heads, "parallel": graph.parallel},
        "d_model": scores.d_model,
        "binary": scores.binary,
        "selection": scores.selection.to_json(),
        "method": scores.method,
        "params": dict(scores.params),
        "meta": dict(scores.meta),
        "counters": dict(scores.counters),
        "notes": list(scores.notes),
    }
    if isinstance(scores, CircuitSeries):
        values["series"] = {ranking: [one.name for one in members] for ranking, members in scores.circuits.items()}
    try:
        text = canonical_json(values)
    except (TypeError, ValueError, RecursionError) as error:
        raise refuse(f"params or meta are not JSON: {error}", "Keep numbers, text, lists and objects there.") from error
    if len(text) > MAX_HEADER:
        raise refuse(f"params and meta take {len(text)} bytes; the limit is {MAX_HEADER}.", "Keep less there.")
    return text


def read(path: Path, wanted: Wanted) -> CircuitScores:
    """Read a native file.

    Raises:
        ArtifactError: It is damaged, too large, or not one of ours.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as stream:
            header = _parse_header((stream.metadata() or {}).get("mibench"))
            size = header.graph
            graph = checked_graph(size.n_layers, size.n_heads, size.parallel, header.d_model)
            arrays = _arrays(stream, shape_of(graph, header.level, header.d_model))
    except SafetensorError as error:
        raise refuse(f"It is not a whole safetensors file: {error}", "Make it again.") from error
    except (TypeError, ValueError) as error:
        raise refuse(f"It is not a usable safetensors file: {error}", "Make it again.") from error
    if wanted.level not in (None, header.level):
        raise refuse(f"The file has {header.level} scores, not {wanted.level} scores.", "Choose its level.")
    if header.series is not None or not arrays.keys().isdisjoint(_CIRCUITS):
        return _series(graph, header, arrays)
    members = arrays.get("in_graph")
    return CircuitScores(
        graph,
        header.level,
        members.astype(np.float32) if wanted.binary and members is not None else arrays["scores"],
        header.d_model,
        scored=arrays["scored"],
        in_graph=members,
        binary=header.binary or wanted.binary,
        selection=Selection.of(header.selection),
        **_said(header),
    )


def _said(header: Header) -> dict[str, Any]:
    """What the header says of any artifact."""
    return {key: getattr(header, key) for key in ("method", "params", "meta", "counters", "notes")}


def _series(graph: Graph, header: Header, arrays: Mapping[str, NDArray[Any]]) -> CircuitSeries:
    names = header.series or {}
    if {f"circuits_{ranking}" for ranking in names} != set(arrays) & set(_CIRCUITS) or not names:
        raise refuse("The names and the tables of its circuits do not belong together.", "Make it again.")
    circuits = {}
    for ranking, words in names.items():
        if len(words) != len(BUDGETS):
            raise refuse(f"It names {len(words)} circuits, not {len(BUDGETS)}.", "Make it again.")
        tables = arrays[f"circuits_{ranking}"]
        circuits[ranking] = [Member(name, table) for name, table in zip(words, tables, strict=True)]
    return replace(series_of(graph, header.level, header.d_model, circuits), **_said(header))


def _parse_header(text: str | None) -> Header:
    if text is None:
        raise refuse("It has no 'mibench' entry in its metadata.", "Convert it from a MIB file, or score again.")
    if len(text) > MAX_HEADER:
        raise refuse(f"Its header takes {len(text)} bytes; the limit is {MAX_HEADER}.", "Keep less there.")
    try:
        values = json.loads(text)
        if isinstance(values, dict) and values.get("schema_version") not in (None, SCHEMA_VERSION):
            raise refuse(f"It has schema version {brief(values['schema_version'])}.", "Update mibench.")
        return Header.model_validate(values)
    except (ValidationError, ValueError, RecursionError) as error:
        why = str(error).splitlines()[:3]
        raise refuse(f"Its header is not understood: {' '.join(why):.300}", "Write the file with mibench.") from error


def _arrays(stream: Any, shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    names = set(stream.keys())
    if not {"scores", "scored"} <= names <= {*_DTYPES, *_CIRCUITS}:
        raise refuse(f"It holds the tensors {sorted(names)[:5]}.", "Only scores, scored and in_graph belong there.")
    arrays = {}
    for name in sorted(names):
        part = stream.get_slice(name)
        found, dtype = tuple(part.get_shape()), part.get_dtype()
        packed = name in _CIRCUITS and dtype == "U8"
        wanted = _shape_of_circuits(shape, packed=packed) if name in _CIRCUITS else shape
        dtypes = _DTYPES.get(name, ("U8",) if packed else ("BOOL",))
        if found != wanted or dtype not in dtypes:
            raise refuse(f"'{name}' is {dtype} {list(found)}, not {dtypes[0]} {list(wanted)}.", "Make it again.")
        tensor = stream.get_tensor(name)
        arrays[name] = _unpacked(tensor, shape) if packed else tensor
    return arrays


def _shape_of_circuits(shape: tuple[int, ...], *, packed: bool) -> tuple[int, ...]:
    return (len(BUDGETS), -(-math.prod(shape) // 8)) if packed else (len(BUDGETS), *shape)


def _unpacked(bits: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The circuits, ``[circuits, *shape]``."""
    items = math.prod(shape)
    flat = np.unpackbits(bits, axis=1)
    if flat[:, items:].any():
        raise refuse("Bits after the last item of a circuit are set.", "Make it again.")
    return flat[:, :items].astype(np.bool_).reshape(len(BUDGETS), *shape)
