"""Long tables, one row per example and circuit, to arrays; what does not fit together is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.grids import Codes, Faults, Grid
from mibench.metrics.metric import RankingName

TABLE_COLUMNS = ("example", "ranking", "fraction", "n_requested", "n_edges", "weighted_edges", "value")
REMOVAL_COLUMNS = ("example", "ranking", "fraction", "edge", "value")
RANKINGS: tuple[RankingName, ...] = ("signed", "absolute")

_POINT_COLUMNS = ("n_requested", "n_edges", "weighted_edges")
_PRESENT = (*_POINT_COLUMNS, "fraction", "value", "listed_edges", "kl")
_TEXTS = ("example", "ranking", "edge")
_FAULTS = Faults(
    twice="an example is listed twice for the same circuit",
    others="the circuits and the endpoints were not measured on the same examples",
)
_ROUNDING = 1e-9
_LARGEST = 1e100


@dataclass(frozen=True)
class RankedExamples:
    """The circuits of one ranking, by size.

    Attributes:
        fractions: Requested shares, ascending. `[points]`
        n_requested: Items asked for. `[points]`
        n_edges: Edges after pruning. `[points]`
        sizes: Weighted edges after pruning over the edges of the graph, within [0, 1]. `[points]`
        values: The task's metric. `[examples, points]`
        listed: Weighted count of the edges in `n_edges`, by the convention's rules; None: not noted. `[points]`
        kl: KL(full model ‖ circuit) in nats; None: not measured. `[examples, points]`
        complement: The task's metric of the complements; None: not measured. `[examples, points]`
    """

    fractions: FloatArray
    n_requested: NDArray[np.int64]
    n_edges: NDArray[np.int64]
    sizes: FloatArray
    values: FloatArray
    listed: FloatArray | None = None
    kl: FloatArray | None = None
    complement: FloatArray | None = None


def ranked(table: pd.DataFrame, examples: pd.Index, n_edges_total: int) -> dict[RankingName, RankedExamples]:
    """Return the circuits of each ranking that a table holds.

    Args:
        table: Columns `TABLE_COLUMNS`, and perhaps ``kl``.
        examples: Sorted ids that every circuit must have.
        n_edges_total: Real edges of the whole graph.

    Raises:
        DataError: The table contradicts itself or the endpoints.
    """
    check_columns(table, TABLE_COLUMNS, "per-example")
    told = table["ranking"].to_numpy(dtype=object)
    unknown = sorted(set(told) - set(RANKINGS))
    if unknown:
        raise contradiction(f"ranking {unknown[0]!r} is neither 'signed' nor 'absolute'")
    found: dict[RankingName, RankedExamples] = {}
    for name in RANKINGS:
        rows = np.flatnonzero(told == name)
        if rows.size:
            found[name] = _one_ranking(table, rows, examples, n_edges_total)
    return found


def _one_ranking(table: pd.DataFrame, rows: Codes, examples: pd.Index, n_edges_total: int) -> RankedExamples:
    columns = {name: table[name].to_numpy()[rows] for name in _PRESENT if name in table.columns}
    fractions, first, which = np.unique(columns["fraction"], return_index=True, return_inverse=True)
    points = {name: columns[name][first] for name in _POINT_COLUMNS}
    if not all((points[name][which] == columns[name]).all() for name in _POINT_COLUMNS):
        raise contradiction("examples disagree about the size of the same circuit")
    grid = _grid(table["example"].iloc[rows], which, examples)
    sizes = points["weighted_edges"].astype(np.float64) / n_edges_total
    if not ((sizes >= 0) & (sizes <= 1 + _ROUNDING)).all():
        raise contradiction(f"a circuit has more weighted edges than the graph's {n_edges_total}, or fewer than 0")
    kl = None
    if "kl" in columns:
        check_columns(table.iloc[rows], ("kl",), "per-example")
        kl = grid.fill(columns["kl"])
    return RankedExamples(
        fractions=fractions.astype(np.float64),
        n_requested=points["n_requested"].astype(np.int64),
        n_edges=points["n_edges"].astype(np.int64),
        sizes=np.minimum(sizes, 1.0),
        values=grid.fill(columns["value"]),
        listed=_largest(columns["listed_edges"], which) if "listed_edges" in columns else None,
        kl=kl,
    )


def removals(table: pd.DataFrame, examples: pd.Index, circuits: RankedExamples | None) -> dict[float, FloatArray]:
    """Return, by requested fraction, the metric of a circuit without one of its edges, `[examples, edges]` each.

    Args:
        table: Columns `REMOVAL_COLUMNS`; may be empty, where the circuits have no edges.
        examples: Sorted ids that every removal must have.
        circuits: The circuits themselves, absolute ranking.

    Raises:
        DataError: The table contradicts itself, the endpoints or the circuits.
    """
    check_columns(table, REMOVAL_COLUMNS, "minimality")
    if circuits is None or not set(table["ranking"]) <= {"absolute"}:
        raise contradiction("single edges were removed from other circuits than those of the absolute ranking")
    if not set(table["fraction"]) <= set(circuits.fractions.tolist()):
        raise contradiction("single edges were removed from a circuit that was not measured itself")
    fractions = sorted(set(table["fraction"].astype(float)))
    return {fraction: _removed(table[table["fraction"] == fraction], examples) for fraction in fractions}


def _removed(table: pd.DataFrame, examples: pd.Index) -> FloatArray:
    edges, _ = pd.factorize(table["edge"], sort=True, use_na_sentinel=False)
    return _grid(table["example"], edges, examples).fill(table["value"].to_numpy())


def _grid(told: pd.Series, circuits: Codes, examples: pd.Index) -> Grid:
    """Place rows by their example and the number of their circuit; every example has every circuit once."""
    codes, names = pd.factorize(told.astype(str), use_na_sentinel=False)
    where = examples.get_indexer(pd.Index(names))
    # An example of the endpoints that no circuit has leaves a place empty.
    where = where if len(names) == len(examples) else np.full(len(names), -1)
    found = Grid.of(codes, circuits, where, _FAULTS)
    if isinstance(found, str):
        raise contradiction(found)
    return found


def _largest(values: NDArray[Any], which: Codes) -> FloatArray:
    """The largest number of each circuit; NaN where it has none."""
    found = np.full(int(which.max()) + 1, np.nan)
    np.fmax.at(found, which, values.astype(np.float64))
    return found


def check_columns(frame: pd.DataFrame, wanted: tuple[str, ...], which: str) -> None:
    """Check that ``frame`` has these columns, and finite numbers in those that are no texts.

    Raises:
        DataError: It has not.
    """
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise contradiction(f"the {which} table has no column {', '.join(missing)}")
    if not all(_finite(frame[name]) for name in wanted if name not in _TEXTS):
        raise contradiction(f"the {which} table holds a value that is not a finite number")


def _finite(column: pd.Series) -> bool:
    # What is a number already need not be parsed.
    plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"
    values = column.to_numpy() if plain else pd.to_numeric(column, errors="coerce").abs().to_numpy(dtype=np.float64)
    return bool((np.abs(values) < _LARGEST).all())


def contradiction(why: str) -> DataError:
    """Return the error for tables that cannot be used."""
    return DataError(
        "The per-example tables cannot be scored.",
        why=f"In them, {why}.",
        do="Measure the cell again; the tables of one record belong together and are not edited.",
    )
