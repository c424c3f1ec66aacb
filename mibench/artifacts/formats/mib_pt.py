"""MIB's ``.pt``: a dict of ``cfg``, names and tensors saved by torch; read without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.circuit import CircuitScores, FloatArray, brief, refuse
from mibench.artifacts.formats.mib import MibTables, Wanted, cfg_of, from_scores, parse_cfg, to_scores
from mibench.core.torch_archive.limits import Limits
from mibench.core.torch_archive.read import read_torch
from mibench.core.torch_archive.tensors import Tensor
from mibench.graph.graph import BoolArray, Graph

_NAMES = ("src_nodes", "dst_nodes")
_REQUIRED = ("cfg", *_NAMES, "edges_in_graph", "nodes_in_graph")
_SCORES = ("edges_scores", "nodes_scores", "neurons_scores")
_MEMBERS = ("edges_in_graph", "nodes_in_graph", "neurons_in_graph")
_LIMITS = Limits(parts=64, tuples=500)
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_DO = "Write the file with mibench convert, or as MIB documents it."


def read(path: Path, wanted: Wanted) -> CircuitScores:
    """Read a MIB ``.pt`` file.

    Raises:
        ArtifactError: It holds anything but plain data, or names and shapes that do not fit ``cfg``.
    """
    found = read_torch(path, _LIMITS)
    if type(found) is not dict:
        raise refuse(f"It holds a {type(found).__name__}, not a dict.", _DO)
    return to_scores(_tables(found), wanted)


def _tables(found: dict[str, Any]) -> MibTables:
    missing = [key for key in _REQUIRED if key not in found]
    if missing:
        raise refuse(f"It has no {', '.join(missing)}.", _DO)
    if not any(key in found for key in _SCORES):
        raise refuse("It has no edges_scores, nodes_scores or neurons_scores.", _DO)
    graph, d_model = parse_cfg(found["cfg"])
    _check_names("src_nodes", found["src_nodes"], graph.source_names)
    _check_names("dst_nodes", found["dst_nodes"], graph.destination_names)
    scores = {key: _floats(key, found[key], _shape(key, graph, d_model)) for key in _SCORES if key in found}
    members = {key: _flags(key, found[key], _shape(key, graph, d_model)) for key in _MEMBERS if key in found}
    unknown = [brief(key) for key in found if key not in {*_REQUIRED, *_SCORES, *_MEMBERS}]
    return MibTables(
        graph,
        d_model,
        edges_scores=scores.get("edges_scores"),
        nodes_scores=scores.get("nodes_scores"),
        neurons_scores=scores.get("neurons_scores"),
        edges_in_graph=members.get("edges_in_graph"),
        nodes_in_graph=members.get("nodes_in_graph"),
        neurons_in_graph=members.get("neurons_in_graph"),
        notes=(f"Not read: {', '.join(unknown[:5])}.",) if unknown else (),
    )


def _check_names(key: str, names: object, expected: list[str]) -> None:
    if not isinstance(names, list | tuple) or not all(type(name) is str for name in names):
        raise refuse(f"{key} is not a list of names.", _DO)
    if list(names) == expected:
        return
    if len(names) == len(expected) and set(names) == set(expected):
        raise refuse(f"{key} has the names of cfg's graph in another order.", "Order rows and columns as MIB does.")
    place = next((i for i, pair in enumerate(zip(names, expected, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        raise refuse(f"{key} has {len(names)} names; cfg's graph has {len(expected)}.", "Fix cfg or the names.")
    raise refuse(f"{key}[{place}] is {brief(names[place])}, not '{expected[place]}'.", "Fix cfg or the names.")


def _shape(key: str, graph: Graph, d_model: int | None) -> tuple[int, ...]:
    if key.startswith("edges"):
        return graph.shape
    if key.startswith("nodes"):
        return (graph.n_sources,)
    if d_model is None:
        raise refuse(f"It has {key}, but cfg has no d_model.", _DO)
    return (graph.n_sources, d_model)


def _plain(key: str, tensor: object, shape: tuple[int, ...]) -> Tensor:
    """``tensor`` if it is one of ``shape`` that owns all its values."""
    if not isinstance(tensor, Tensor):
        raise refuse(f"{key} is a {type(tensor).__name__}, not a plain tensor.", _DO)
    if tensor.shape != shape:
        raise refuse(f"{key} has shape {list(tensor.shape)}; cfg's graph needs {list(shape)}.", "Fix cfg or the shape.")
    if not tensor.is_contiguous or tensor.repeats:
        raise refuse(f"{key} is a view with strides, not a tensor with its own values.", "Save it .contiguous().")
    return tensor


def _floats(key: str, value: object, shape: tuple[int, ...]) -> FloatArray:
    tensor = _plain(key, value, shape)
    if tensor.dtype not in _FLOATS:
        raise refuse(f"{key} holds {tensor.dtype}.", "Save it as float32.")
    array: FloatArray = tensor.array()
    return array.astype(np.float64 if tensor.dtype == "float64" else np.float32)


def _flags(key: str, value: object, shape: tuple[int, ...]) -> BoolArray:
    tensor = _plain(key, value, shape)
    if tensor.dtype != "bool":
        raise refuse(f"{key} holds {tensor.dtype}, not bool.", "Save it as bool.")
    array: BoolArray = tensor.array()
    return array


def write(scores: CircuitScores, path: Path) -> None:
    """Write ``scores`` so that MIB's loader accepts it.

    Raises:
        ArtifactError: ``d_model`` is not known.
    """
    import torch

    cfg, tables = cfg_of(scores), from_scores(scores)
    graph = scores.graph
    arrays: dict[str, NDArray[Any] | None] = {
        "edges_scores": np.zeros(graph.shape, np.float32) if tables.edges_scores is None else tables.edges_scores,
        "edges_in_graph": tables.edges_in_graph,
        "nodes_in_graph": tables.nodes_in_graph,
        "nodes_scores": tables.nodes_scores,
        "neurons_in_graph": tables.neurons_in_graph,
        "neurons_scores": tables.neurons_scores,
    }
    tensors = {key: torch.from_numpy(np.array(array)) for key, array in arrays.items() if array is not None}
    names = {"src_nodes": graph.source_names, "dst_nodes": graph.destination_names}
    torch.save({"cfg": cfg, **names, **tensors}, path)
