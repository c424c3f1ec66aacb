"""The table of a circuit's scores beside the known truth, as arrays; what does not fit together is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import BoolArray, FloatArray

Level = Literal["edge", "node", "neuron"]
Resolution = Literal["slot", "head"]
Word = TypeVar("Word", bound=str)
_LEVELS: Mapping[str, Level] = {"edge": "edge", "node": "node", "neuron": "neuron"}
_RESOLUTIONS: Mapping[str, Resolution] = {"slot": "slot", "head": "head"}

EDGE_TRUTH_COLUMNS = ("level", "resolution", "edge", "source", "destination", "score", "true", "named")


@dataclass(frozen=True, eq=False)
class KnownItems:
    """Scored edges or nodes, and which of them are true.

    Attributes:
        level: What was scored; at neuron level each item is a node, with the score of its largest neuron.
        resolution: Whether the truth tells q, k and v of a head apart.
        names: Names of the items. `[items]`
        sources: Sources of edges, or the nodes themselves. `[items]`
        destinations: Destination slots of edges; empty for nodes. `[items]`
        scores: Infinite where nothing is scored: such an item is in every circuit. `[items]`
        true: Which are true. `[items]`
        named: Which the truth names itself; at resolution ``head`` the other slots of a head are true too. `[items]`
    """

    level: Level
    resolution: Resolution
    names: tuple[str, ...]
    sources: NDArray[np.str_]
    destinations: NDArray[np.str_]
    scores: FloatArray
    true: BoolArray
    named: BoolArray

    @property
    def of_edges(self) -> bool:
        """Whether the items are edges."""
        return self.level == "edge"

    @cached_property
    def magnitudes(self) -> FloatArray:
        """Absolute scores. `[items]`."""
        return np.abs(self.scores)

    @cached_property
    def into(self) -> NDArray[np.str_]:
        """Nodes that the edges lead to: destinations without their slot. `[items]`."""
        return np.array([name.partition("<")[0] for name in self.destinations.tolist()], dtype=np.str_)


def read_items(table: pd.DataFrame) -> KnownItems:
    """Check a table of columns `EDGE_TRUTH_COLUMNS` and return it as arrays.

    Raises:
        DataError: A column is missing, a row doubled, or a value none that can be there.
    """
    missing = [name for name in EDGE_TRUTH_COLUMNS if name not in table.columns]
    if missing or table.empty:
        raise _unusable(f"It has no column {', '.join(missing)}." if missing else "It is empty.")
    names = tuple(str(name) for name in table["edge"])
    if len(set(names)) != len(names):
        raise _unusable("An edge is listed twice.")
    scores = pd.to_numeric(table["score"], errors="coerce").to_numpy(dtype=np.float64)
    if np.isinf(scores).any() or (np.isnan(scores) & table["score"].notna().to_numpy()).any():
        raise _unusable("A score is not a finite number.")
    level, resolution = _one_of(table, "level", _LEVELS), _one_of(table, "resolution", _RESOLUTIONS)
    sources, destinations = _texts(table["source"]), _texts(table["destination"])
    if level == "edge" and names != tuple(np.char.add(np.char.add(sources, "->"), destinations).tolist()):
        raise _unusable("An edge is not called source->destination.")
    return KnownItems(
        level=level,
        resolution=resolution,
        names=names,
        sources=sources,
        destinations=destinations,
        scores=np.where(np.isnan(scores), np.inf, scores),
        true=_truths(table["true"]),
        named=_truths(table["named"]),
    )


def _texts(column: pd.Series) -> NDArray[np.str_]:
    return np.array(column.astype(str).tolist(), dtype=np.str_)


def _truths(column: pd.Series) -> BoolArray:
    if not column.isin([0, 1]).all():
        raise _unusable(f"It says neither yes nor no in its column {column.name}.")
    return column.to_numpy(dtype=np.bool_)


def _one_of(table: pd.DataFrame, name: str, known: Mapping[str, Word]) -> Word:
    found = table[name].astype(str).unique().tolist()
    if len(found) != 1 or found[0] not in known:
        raise _unusable(f"Its column {name} does not hold one of {', '.join(known)} alone.")
    return known[found[0]]


def _unusable(why: str) -> DataError:
    return DataError("The table of known edges cannot be used.", why=why, do="Score the artifact again.")
