"""Which columns of tables hold nothing of the data, by track and table: all others are taken to hold some.

A new column, or a new table, is hidden until it is named here.
"""

from __future__ import annotations

from typing import Literal

import pandas as pd
from pandas.api import types

from mibench.core.specs import Track

Kind = Literal["plain", "id", "text", "number"]
"""It stays; it names rows; its texts, or its whole numbers, become opaque."""

IDS = frozenset({"example", "row", "context", "document"})
"""Columns that name rows, in every table."""

_PLACE = ("group", "site", "component", "position", "layer", "head", "n_layers")
_SIZES = ("ranking", "n_requested", "n_edges", "graph_edges", "edge")
_COUNTS = ("tokens", "entries", "active", "fit_active", "n", "k", "latent", "latents", "rank", "rows")
_EDGES = ("level", "resolution", "edge", "source", "destination")
_PLAIN: dict[Track, dict[str, tuple[str, ...]]] = {
    Track.CIRCUIT: {
        "examples": _SIZES,
        "endpoints": _SIZES,
        "completeness": _SIZES,
        "minimality": _SIZES,
        "truth": _EDGES,
    },
    Track.VARIABLE: {
        "examples": ("set", *_PLACE),
        "noop": ("set",),
        "selection": _PLACE,
        "attrition": ("set", "reason", "rows"),
        "linear_target": ("name",),
        "truth": (*_PLACE, "overlap_reason"),
    },
    Track.SAE: {
        "contexts": _COUNTS,
        "losses": _COUNTS,
        "latents": _COUNTS,
        "examples": ("variable", "set"),
        "fidelity": ("set",),
        "attrition": ("split", "set", "reason", "rows"),
        "selection": ("variable", "candidate", "latents"),
        "swapped": ("variable", "rank", "latent"),
        "scr-accuracies": ("set", "pair", "direction", "n"),
        "tpp-accuracies": ("set", "n", "ablated", "probe"),
        "probe-scores": ("set", "source", "features", "k"),
        "probe-sets": ("set", "source", "features", "k", "n", "columns"),
    },
}


def kind_of(track: Track, table: str, column: pd.Series) -> Kind:
    """Return what becomes of a column; measured numbers, true and false stay everywhere."""
    name, dtype = str(column.name), column.dtype
    if name in IDS:
        return "id"
    if name in _PLAIN[track].get(table, ()) or types.is_bool_dtype(dtype) or types.is_float_dtype(dtype):
        return "plain"
    if types.is_integer_dtype(dtype):
        return "number"
    measured = column.dropna().map(lambda value: isinstance(value, bool | float)).all()
    return "plain" if measured else "text"
