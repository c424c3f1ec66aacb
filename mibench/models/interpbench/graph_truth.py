"""The true edges of a model from MIB's ``interpbench_graph.json``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from mibench.core.errors import DataError, ModelError, UsageError
from mibench.core.files import read_text
from mibench.graph.graph import Graph

GRAPH_FILE = "interpbench_graph.json"
_MAX_BYTES = 16 * 1024 * 1024
_MAX_SIZE = 256


def truth_edges(folder: Path | str) -> tuple[str, ...]:
    """Return the edges that the graph file in ``folder`` marks as true, in the order of the graph.

    The file is MIB's circuit JSON: ``cfg`` with the sizes, ``nodes``, and ``edges`` with ``in_graph`` for every edge.
    Its names are those of :class:`mibench.graph.graph.Graph`. InterpBench's models were trained head by head: whether
    an edge into a head enters by q, k or v is not part of the truth.

    Raises:
        UsageError: There is no such file.
        ModelError: It is no whole graph: an edge is missing, unknown, or neither true nor false, or all are alike.
    """
    path = Path(folder) / GRAPH_FILE
    content = _read(path)
    graph = _graph(path, content.get("cfg"))
    flags = _flags(path, content.get("edges"))
    names = graph.edge_names()
    odd = sorted(flags.keys() ^ set(names))
    if odd:
        what = "is missing" if odd[0] not in flags else "is no edge of this graph"
        raise _unusable(path, f"{odd[0][:80]} {what}; it has {graph.n_edges} edges, and {len(flags)} are given.")
    found = tuple(name for name in names if flags[name])
    if not 0 < len(found) < len(names):
        raise _unusable(path, f"{len(found)} of {len(names)} edges are true, so nothing is told apart.")
    return found


def graph_size(folder: Path | str) -> tuple[int, int]:
    """Return the numbers of layers and of heads that the graph file in ``folder`` is for.

    Raises:
        UsageError: There is no such file.
        ModelError: It does not say.
    """
    path = Path(folder) / GRAPH_FILE
    graph = _graph(path, _read(path).get("cfg"))
    return graph.n_layers, graph.n_heads


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(read_text(path, max_bytes=_MAX_BYTES), object_pairs_hook=_unique)
    except UsageError:
        raise
    except DataError as error:
        raise _unusable(path, error.why) from error
    except (ValueError, RecursionError) as error:
        raise _unusable(path, str(error)[:200]) from error
    missing = [key for key in ("cfg", "nodes", "edges") if not isinstance(content, dict) or key not in content]
    if missing:
        raise _unusable(path, f"It has no {missing[0]}.")
    return dict(content)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise ValueError(f"{twice[:80]} is given twice.")
    return found


def _graph(path: Path, cfg: object) -> Graph:
    fields = cfg if isinstance(cfg, dict) else {}
    layers, heads, parallel = (fields.get(name, False) for name in ("n_layers", "n_heads", "parallel_attn_mlp"))
    if not all(type(size) is int and 0 < size <= _MAX_SIZE for size in (layers, heads)):
        raise _unusable(path, f"Its cfg does not give n_layers and n_heads, from 1 to {_MAX_SIZE}.")
    if type(parallel) is not bool:
        raise _unusable(path, "parallel_attn_mlp of its cfg is neither true nor false.")
    return Graph(layers, heads, parallel=parallel)


def _flags(path: Path, edges: object) -> dict[str, bool]:
    if not isinstance(edges, dict):
        raise _unusable(path, "Its edges are no object.")
    found: dict[str, bool] = {}
    for name, fields in edges.items():
        flag = fields.get("in_graph") if isinstance(fields, dict) else None
        if type(flag) is not bool:
            raise _unusable(path, f"in_graph of {name[:80]} is neither true nor false.")
        found[name] = flag
    return found


def _unusable(path: Path, why: str) -> ModelError:
    return ModelError(f"{path} is no graph of a true circuit.", why=why, do="Take the file from the hub again.")
