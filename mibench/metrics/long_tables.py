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
_NOT_FINITE = "the {} table holds a value that is not a finite number"
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
    ranking, names = pd.factorize(table["ranking"], use_na_sentinel=False)
    unknown = sorted(set(names) - set(RANKINGS))
    if unknown:
        raise contradiction(f"ranking {unknown[0]!r} is neither 'signed' nor 'absolute'")
    columns = {name: table[name].to_numpy() for name in _PRESENT if name in table.columns}
    told = _Told.of(table["example"], examples)
    found: dict[RankingName, RankedExamples] = {}
    for name in RANKINGS:
        if name in names:
            rows = np.flatnonzero(ranking == list(names).index(name))
            own = {column: values[rows] for column, values in columns.items()}
            found[name] = _one_ranking(own, told.take(rows), n_edges_total)
    return found


@dataclass(frozen=True)
class _Told:
    """Which example each row of a table is of.

    Attributes:
        codes: A number for each row.
        where: Place of each number's example among all examples; -1: it is none of them.
        n: How many examples there have to be.
    """

    codes: Codes
    where: Codes
    n: int

    @classmethod
    def of(cls, told: pd.Series, examples: pd.Index) -> _Told:
        """Number the examples of a column."""
        codes, names = pd.factorize(told.astype(str), use_na_sentinel=False)
        return cls(codes, examples.get_indexer(pd.Index(names)), len(examples))

    def take(self, rows: Codes) -> _Told:
        """Return the same of some rows."""
        present, codes = np.unique(self.codes[rows], return_inverse=True)
        return _Told(codes, self.where[present], self.n)

    def grid(self, circuits: Codes) -> Grid:
        """Place rows by their example and the number of their circuit; every example has every circuit once."""
        # An example that no circuit has would leave its place empty.
        where = self.where if len(self.where) == self.n else np.full(len(self.where), -1)
        found = Grid.of(self.codes, circuits, where, _FAULTS)
        if isinstance(found, str):
            raise contradiction(found)
        return found


def _one_ranking(columns: dict[str, NDArray[Any]], told: _Told, n_edges_total: int) -> RankedExamples:
    fractions, first, which = np.unique(columns["fraction"], return_index=True, return_inverse=True)
    points = {name: columns[name][first] for name in _POINT_COLUMNS}
    if not all((points[name][which] == columns[name]).all() for name in _POINT_COLUMNS):
        raise contradiction("examples disagree about the size of the same circuit")
    grid = told.grid(which)
    sizes = points["weighted_edges"].astype(np.float64) / n_edges_total
    if not ((sizes >= 0) & (sizes <= 1 + _ROUNDING)).all():
        raise contradiction(f"a circuit has more weighted edges than the graph's {n_edges_total}, or fewer than 0")
    if "kl" in columns and not _finite(columns["kl"]):
        raise contradiction(_NOT_FINITE.format("per-example"))
    return RankedExamples(
        fractions=fractions.astype(np.float64),
        n_requested=points["n_requested"].astype(np.int64),
        n_edges=points["n_edges"].astype(np.int64),
        sizes=np.minimum(sizes, 1.0),
        values=grid.fill(columns["value"]),
        listed=_largest(columns["listed_edges"], which) if "listed_edges" in columns else None,
        kl=grid.fill(columns["kl"]) if "kl" in columns else None,
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
    return _Told.of(table["example"], examples).grid(edges).fill(table["value"].to_numpy())


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
    if not all(_finite(frame[name].to_numpy()) for name in wanted if name not in _TEXTS):
        raise contradiction(_NOT_FINITE.format(which))


def _finite(values: NDArray[Any]) -> bool:
    if values.dtype.kind not in "iuf":
        values = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(dtype=np.float64)
    return bool((np.abs(values) < _LARGEST).all())


def contradiction(why: str) -> DataError:
    """Return the error for tables that cannot be used."""
    return DataError(
        "The per-example tables cannot be scored.",
        why=f"In them, {why}.",
        do="Measure the cell again; the tables of one record belong together and are not edited.",
    )
