"""The examples that a record does worst on: names and numbers, never a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from mibench.core.errors import StoreError
from mibench.core.specs import Track
from mibench.leaderboard.rows import Entry
from mibench.leaderboard.text import plain

if TYPE_CHECKING:
    import pandas as pd

MOST = 10


@dataclass(frozen=True)
class Worst:
    """A small table.

    Attributes:
        title: What the examples are worst by.
        heads: Titles of the columns.
        rows: Texts.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def worst_examples(entry: Entry) -> Worst | None:
    """Return the worst examples of a record; None where its tables are not at hand, or do not tell.

    Of circuits those whose score the circuits miss by most, of causal variables those whose answer at the chosen site
    is unlikeliest, of dictionaries the contexts that are reconstructed worst.
    """
    record = entry.record
    read = _READERS.get(record.cell.track)
    if record.status != "ok" or read is None:
        return None
    try:
        return read(entry)
    except (StoreError, KeyError, ValueError, TypeError):
        # A table of another shape, such as one of an older version, is no reason to have no page.
        return None


def _circuit(entry: Entry) -> Worst:
    texts = ("example", "ranking")
    examples = entry.store.table(entry.record, "examples", (*texts, "value"), texts)
    ends = _table(entry, "endpoints", ("example", "clean", "empty"))
    rows = np.flatnonzero((examples["ranking"] == "absolute").to_numpy())
    place = {name: index for index, name in enumerate(ends["example"].to_list())}
    told = examples["example"].astype("category").cat
    places = np.array([place.get(name, -1) for name in told.categories], dtype=np.int64)
    # Of an example that the endpoints do not have, counting fails.
    index = places[told.codes.to_numpy()[rows]]
    clean, empty = (ends[name].to_numpy(dtype=np.float64) for name in ("clean", "empty"))
    gaps = np.abs(examples["value"].to_numpy(dtype=np.float64)[rows] - clean[index])
    missed = np.bincount(index, gaps, len(ends)) / np.bincount(index, minlength=len(ends))
    columns = {"example": ends["example"], "missed by": missed, "whole model": clean, "empty circuit": empty}
    return _shown(
        "The model's score less the circuit's, magnitude, mean over sizes (absolute ranking)", columns, -missed
    )


def _variable(entry: Entry) -> Worst:
    told = ("group", "correct", "set", "example", "cause", "label_logprob", "contrast")
    examples, chosen = _table(entry, "examples", told), _table(entry, "selection", ("chosen", "group"))
    group = chosen.loc[chosen["chosen"].astype(bool), "group"].iloc[0]
    wrong = examples[(examples["group"] == group) & ~examples["correct"].astype(bool)]
    by = "label_logprob" if "label_logprob" in wrong else "contrast"
    columns = {
        "set": wrong["set"],
        "example": wrong["example"],
        "answer": wrong["cause"].map({True: "must change", False: "must stay"}),
        "log-probability of the right answer" if by == "label_logprob" else by: wrong[by],
    }
    return _shown(f"Wrong answers at the chosen site ({len(wrong)}), the least likely first", columns, wrong[by])


def _dictionary(entry: Entry) -> Worst:
    told = ("context", "squared_error", "squared_deviation", "active", "tokens")
    contexts = _table(entry, "contexts", told)
    error = contexts["squared_error"] / contexts["squared_deviation"]
    columns = {
        "context": contexts["context"],
        "variance unexplained": error,
        "latents a token": contexts["active"] / contexts["tokens"],
        "tokens": contexts["tokens"],
    }
    return _shown("Contexts by the share of variance that is not explained", columns, -error)


_READERS: Mapping[Track, Callable[[Entry], Worst]] = MappingProxyType(
    {Track.CIRCUIT: _circuit, Track.VARIABLE: _variable, Track.SAE: _dictionary}
)


def _table(entry: Entry, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    return entry.store.table(entry.record, name, columns)


def _shown(title: str, columns: Mapping[str, Any], by: Any) -> Worst:
    """The first rows by a key, the smallest first; equal ones in the order of the table."""
    order = np.argsort(np.asarray(by, dtype=np.float64), kind="stable")[:MOST]
    kept = [np.asarray(column)[order].tolist() for column in columns.values()]
    return Worst(title, tuple(columns), tuple(tuple(map(_text, row)) for row in zip(*kept, strict=True)))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else plain(str(value), 40)
