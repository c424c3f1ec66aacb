"""MIB's JSON: ``cfg``, ``nodes`` by name and ``edges`` by name, as published loaders read and write it.

An edge or node without ``in_graph`` is not in the circuit; an edge without ``score``, or that is missing,
scores 0; a node without ``score``, or with NaN, is not scored. A head's neurons are a list of ``d_model``
values, or the block ``[n_heads][d_model]`` of its layer. The published loader copies a head's list to *all*
heads of the layer, so the last head of each layer is written as the layer's block: then that loader too reads
what was meant, at twice the size instead of ``n_heads`` times.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from mibench.artifacts.circuit import CircuitScores, FloatArray, brief, refuse
from mibench.artifacts.formats.mib import MibTables, Wanted, cfg_of, from_scores, parse_cfg, to_scores
from mibench.core.errors import ArtifactError
from mibench.graph.graph import BoolArray, Graph

_KEYS = ("cfg", "nodes", "edges")


def read(path: Path, wanted: Wanted) -> CircuitScores:
    """Read a MIB JSON file.

    Raises:
        ArtifactError: It is not JSON, names unknown nodes or edges, repeats a key, or has wrong values.
    """
    return to_scores(_tables(_parse(path)), wanted)


def _parse(path: Path) -> dict[str, Any]:
    do = "Write one object with cfg, nodes and edges."
    try:
        document = json.loads(path.read_bytes(), object_pairs_hook=_unique)
    except RecursionError as error:
        raise refuse("It nests too deeply.", do) from error
    except ValueError as error:
        raise refuse(f"It is not JSON that can be used: {error!s:.200}", do) from error
    if not isinstance(document, dict):
        raise refuse("It is not a JSON object.", do)
    missing = [key for key in _KEYS if not isinstance(document.get(key), dict)]
    if missing:
        raise refuse(f"It has no object '{missing[0]}'.", do)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = sorted(name for name, _ in pairs)
        twice = next(first for first, second in itertools.pairwise(names) if first == second)
        raise ValueError(f"the key {brief(twice)} occurs twice")
    return found


def _tables(document: dict[str, Any]) -> MibTables:
    graph, d_model = parse_cfg(document["cfg"])
    edges, members, missing = _edges(graph, document["edges"])
    nodes = _known_nodes(graph, document["nodes"])
    notes = [f"{missing} edges had no score and got 0."] if missing else []
    unknown = sorted(set(document) - set(_KEYS))
    if unknown:
        notes.append(f"Not read: {', '.join(brief(key) for key in unknown[:5])}.")
    return MibTables(
        graph,
        d_model,
        edges_scores=edges,
        nodes_scores=_node_scores(graph, nodes),
        neurons_scores=_neurons(graph, nodes, d_model, "neurons_scores"),
        edges_in_graph=members,
        nodes_in_graph=_node_members(graph, nodes),
        neurons_in_graph=_neuron_members(graph, nodes, d_model),
        counters={"edges_defaulted": missing},
        notes=tuple(notes),
    )


def _edges(graph: Graph, entries: Mapping[str, Any]) -> tuple[FloatArray | None, BoolArray | None, int]:
    """Score and membership tables ``[n_sources, n_destinations]``, and how many edges had no score."""
    if not entries:
        return None, None, 0
    places = _places(graph, entries)
    values, kept, given = [], [], 0
    for name, entry in entries.items():
        if type(entry) is not dict:
            raise refuse(f"Edge {brief(name)} is not an object.", "Write its score and in_graph.")
        score = entry.get("score", 0.0)
        given += "score" in entry
        values.append(score if type(score) is float else _number(score, name))
        kept.append(_flag(entry.get("in_graph", False), name))
    scores = np.zeros(graph.shape)
    scores.flat[places] = values
    members = np.zeros(graph.shape, dtype=np.bool_)
    members.flat[places] = kept
    return scores, members, graph.n_edges - given


def _places(graph: Graph, entries: Mapping[str, Any]) -> list[int]:
    """Flat index of each edge name; edges that the graph does not have are refused."""
    width = graph.n_destinations
    rows = {name: row * width for row, name in enumerate(graph.source_names)}
    columns = {name: column for column, name in enumerate(graph.destination_names)}
    places, nowhere = [], graph.n_sources * width
    for name in entries:
        source, _, destination = name.partition("->")
        # An unknown part gives an index that is surely out of range.
        places.append(rows.get(source, nowhere) + columns.get(destination, nowhere))
    found = np.array(places)
    wrong = found >= nowhere
    wrong[~wrong] = ~graph.real_mask.ravel()[found[~wrong]]
    if wrong.any():
        names = np.array(list(entries), dtype=object)[wrong]
        raise _unknown("edges", names.tolist(), graph)
    return places


def _unknown(kind: str, names: list[str], graph: Graph) -> ArtifactError:
    shown = ", ".join(f"{brief(name)}" for name in names[:3])
    model = f"{graph.n_layers} layers of {graph.n_heads} heads"
    return refuse(
        f"{len(names)} {kind} are not in a graph of {model}: {shown}.",
        "Fix the names or cfg (a1.h0->m2, a0.h1->a2.h3<q>).",
    )


def _known_nodes(graph: Graph, entries: Mapping[str, Any]) -> dict[int, tuple[str, dict[str, Any]]]:
    """Entries by row; ``logits`` has none."""
    rows = {name: row for row, name in enumerate(graph.source_names)}
    unknown = [name for name in entries if name not in rows and name != "logits"]
    if unknown:
        raise _unknown("nodes", unknown, graph)
    wrong = [name for name, entry in entries.items() if not isinstance(entry, dict)]
    if wrong:
        raise refuse(f"Node {brief(wrong[0])} is not an object.", "Write its in_graph, and score if it has one.")
    return {rows[name]: (name, entry) for name, entry in entries.items() if name in rows}


def _node_scores(graph: Graph, nodes: Mapping[int, tuple[str, dict[str, Any]]]) -> FloatArray | None:
    given = {row: _number(entry["score"], name) for row, (name, entry) in nodes.items() if "score" in entry}
    if not given:
        return None
    scores = np.full(graph.n_sources, np.nan)
    scores[list(given)] = list(given.values())
    return scores


def _node_members(graph: Graph, nodes: Mapping[int, tuple[str, dict[str, Any]]]) -> BoolArray:
    members = np.zeros(graph.n_sources, dtype=np.bool_)
    for row, (name, entry) in nodes.items():
        members[row] = _flag(entry.get("in_graph", False), name)
    return members


def _neurons(
    graph: Graph, nodes: Mapping[int, tuple[str, dict[str, Any]]], d_model: int | None, key: str
) -> FloatArray | None:
    """The lists called ``key`` as ``[n_sources, d_model]``, NaN for nodes without one."""
    given = {row: (name, entry[key]) for row, (name, entry) in nodes.items() if key in entry}
    if not given:
        return None
    if d_model is None:
        raise refuse(f"It has {key}, but cfg has no d_model.", "Write d_model.")
    table = np.full((graph.n_sources, d_model), np.nan)
    for row, (name, values) in given.items():
        table[row] = _row(values, name, head=(row - 1) % (graph.n_heads + 1), shape=(graph.n_heads, d_model))
    return table


def _neuron_members(
    graph: Graph, nodes: Mapping[int, tuple[str, dict[str, Any]]], d_model: int | None
) -> BoolArray | None:
    table = _neurons(graph, nodes, d_model, "neurons")
    if table is None:
        return None
    given = ~np.isnan(table)
    if not np.isin(table[given], (0.0, 1.0)).all():
        raise refuse("'neurons' holds values that are neither true nor false.", "Write true or false.")
    members: BoolArray = table == 1
    return members


def _row(values: object, name: str, *, head: int, shape: tuple[int, int]) -> list[float]:
    n_heads, d_model = shape
    if name.startswith("a") and isinstance(values, list) and values and isinstance(values[0], list):
        if len(values) != n_heads:
            raise refuse(f"'{name}' lists neurons of {len(values)} heads, not {n_heads}.", "Write one list a node.")
        values = values[head]
    if not isinstance(values, list) or len(values) != d_model:
        length = len(values) if isinstance(values, list) else "no list"
        raise refuse(f"'{name}' lists {length} neurons, not d_model = {d_model}.", "Write d_model values a node.")
    return [value if type(value) in (float, bool) else _number(value, name) for value in values]


def _number(value: object, name: str) -> float:
    if type(value) is float:
        return value
    if type(value) is not int or abs(value) >= 2**1000:
        raise refuse(f"A score of {brief(name)} is not a number: {brief(value)}.", "Write a finite number.")
    return float(value)


def _flag(value: object, name: str) -> bool:
    if type(value) is not bool:
        raise refuse(f"in_graph of {brief(name)} is {brief(value)}.", "Write true or false.")
    return value


def write(scores: CircuitScores, path: Path) -> None:
    """Write ``scores`` as MIB JSON, row by row.

    Edges are written at edge level and for binary artifacts; else ``edges`` is empty.

    Raises:
        ArtifactError: ``d_model`` is not known.
    """
    cfg, tables = cfg_of(scores), from_scores(scores)
    with path.open("w", encoding="utf-8") as stream:
        stream.write(f'{{"cfg": {json.dumps(cfg)}, "nodes": {{')
        _write_list(stream, _node_lines(tables))
        stream.write('}, "edges": {')
        if tables.edges_scores is not None or scores.binary:
            _write_list(stream, _edge_lines(tables))
        stream.write("}}\n")


def _write_list(stream: TextIO, lines: Iterator[str]) -> None:
    separator = "\n"
    for line in lines:
        stream.write(separator + line)
        separator = ",\n"


def _node_lines(tables: MibTables) -> Iterator[str]:
    members = np.zeros(tables.graph.n_sources, np.bool_) if tables.nodes_in_graph is None else tables.nodes_in_graph
    for row, name in enumerate(tables.graph.source_names):
        entry: dict[str, Any] = {"in_graph": bool(members[row])}
        # A node without a score is one that is not scored.
        if tables.nodes_scores is not None and not np.isnan(tables.nodes_scores[row]):
            entry["score"] = float(tables.nodes_scores[row])
        if tables.neurons_scores is not None and tables.neurons_in_graph is not None:
            block = _block(tables.graph, row)
            entry["neurons"] = tables.neurons_in_graph[block].tolist()
            entry["neurons_scores"] = tables.neurons_scores[block].tolist()
        yield f'"{name}": {json.dumps(entry)}'
    yield '"logits": {"in_graph": true}'


def _block(graph: Graph, row: int) -> int | slice:
    """The row, or all heads' rows at the last head of a layer."""
    is_last_head = row > 0 and (row - 1) % (graph.n_heads + 1) == graph.n_heads - 1
    return slice(row + 1 - graph.n_heads, row + 1) if is_last_head else row


def _edge_lines(tables: MibTables) -> Iterator[str]:
    graph, kept = tables.graph, tables.edges_in_graph
    values = np.zeros(graph.shape) if tables.edges_scores is None else tables.edges_scores
    members = np.zeros(graph.shape, dtype=np.bool_) if kept is None else kept
    destinations = graph.destination_names
    words = ("false", "true")
    for row, source in enumerate(graph.source_names):
        columns = np.flatnonzero(graph.real_mask[row])
        parts = zip(columns.tolist(), values[row, columns].tolist(), members[row, columns].tolist(), strict=True)
        yield ",\n".join(
            f'"{source}->{destinations[column]}": {{"score": {score!r}, "in_graph": {words[member]}}}'
            for column, score, member in parts
        )
