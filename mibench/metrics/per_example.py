"""Per-example tables of the circuit track: check them and turn them into arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.core.errors import DataError
from mibench.core.specs import Track
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import RankingName
from mibench.records.record import RunRecord
from mibench.records.store import Store

TABLE_COLUMNS = ("example", "ranking", "fraction", "n_requested", "n_edges", "weighted_edges", "value")
ENDPOINT_COLUMNS = ("example", "clean", "empty")
RANKINGS: tuple[RankingName, ...] = ("signed", "absolute")

_POINT_COLUMNS = ["n_requested", "n_edges", "weighted_edges"]
_ROUNDING = 1e-9
_LARGEST = 1e100


class CircuitTables(NamedTuple):
    """What the circuit track measured for one artifact.

    Attributes:
        table: One row per example × ranking × size, columns `TABLE_COLUMNS`.
        endpoints: One row per example, columns `ENDPOINT_COLUMNS`: the full model and the empty circuit.
        n_edges_total: Real edges of the whole graph.
    """

    table: pd.DataFrame
    endpoints: pd.DataFrame
    n_edges_total: int

    @classmethod
    def stored(cls, record: RunRecord, store: Store) -> CircuitTables:
        """The tables of a record, read from its store; there the endpoints also carry ``graph_edges``.

        Raises:
            DataError: The record is of another track, has no numbers, or does not say how many edges the graph has.
            StoreError: A table is missing or damaged.
        """
        if record.cell.track is not Track.CIRCUIT or record.problem is not None:
            raise DataError(
                "There is nothing to pair.",
                why=record.problem.what if record.problem else f"Its track is {record.cell.track}.",
                do="Compare circuits that were scored.",
            )
        endpoints, table = store.table(record, "endpoints"), store.table(record, "examples")
        if "graph_edges" not in endpoints.columns or endpoints["graph_edges"].nunique() != 1:
            raise _contradiction("the endpoints do not say how many edges the graph has (graph_edges)")
        return cls(table, endpoints, int(endpoints["graph_edges"].iloc[0]))


@dataclass(frozen=True)
class RankedExamples:
    """The circuits of one ranking, by size.

    Attributes:
        fractions: Requested shares, ascending. `[points]`
        n_requested: Items asked for. `[points]`
        n_edges: Edges after pruning. `[points]`
        sizes: Weighted edges after pruning over the edges of the graph, within [0, 1]. `[points]`
        values: The task's metric. `[examples, points]`
    """

    fractions: FloatArray
    n_requested: NDArray[np.int64]
    n_edges: NDArray[np.int64]
    sizes: FloatArray
    values: FloatArray


@dataclass(frozen=True)
class CircuitExamples:
    """The tables as arrays, examples in the order of their ids.

    Attributes:
        examples: Ids, sorted.
        full: Metric of the full model on the clean prompt. `[examples]`
        empty: Metric of the empty circuit. `[examples]`
        rankings: The circuits of each ranking that was measured.
    """

    examples: tuple[str, ...]
    full: FloatArray
    empty: FloatArray
    rankings: dict[RankingName, RankedExamples]

    @property
    def columns(self) -> FloatArray:
        """Full, empty, then all circuits, to be resampled together. `[examples, 2 + points]`."""
        circuits = [ranked.values for ranked in self.rankings.values()]
        return np.column_stack([self.full, self.empty, *circuits])


def read_tables(tables: CircuitTables) -> CircuitExamples:
    """Check the tables and return them as arrays.

    Raises:
        DataError: Columns, examples or circuits are missing, doubled, or contradict each other.
    """
    table, endpoints, n_edges_total = tables
    _check_columns(table, TABLE_COLUMNS, "per-example")
    _check_columns(endpoints, ENDPOINT_COLUMNS, "endpoints")
    ends = endpoints.assign(example=endpoints["example"].astype(str)).set_index("example").sort_index()
    if n_edges_total < 1:
        raise _contradiction(f"the graph has {n_edges_total} edges")
    if ends.empty or ends.index.has_duplicates:
        raise _contradiction("the endpoints table is empty or has an example twice")
    unknown = sorted(set(table["ranking"]) - set(RANKINGS))
    if unknown:
        raise _contradiction(f"ranking {unknown[0]!r} is neither 'signed' nor 'absolute'")
    rankings = {
        name: _ranked(table[table["ranking"] == name], ends.index, n_edges_total)
        for name in RANKINGS
        if (table["ranking"] == name).any()
    }
    full, empty = (ends[name].to_numpy(dtype=np.float64) for name in ("clean", "empty"))
    return CircuitExamples(tuple(ends.index), full, empty, rankings)


def _ranked(rows: pd.DataFrame, examples: pd.Index, n_edges_total: int) -> RankedExamples:
    rows = rows.assign(example=rows["example"].astype(str))
    if rows.duplicated(["example", "fraction"]).any():
        raise _contradiction("an example is listed twice for the same circuit")
    points = rows.groupby("fraction")[_POINT_COLUMNS].agg(["min", "max"])
    if not all((points[name]["min"] == points[name]["max"]).all() for name in _POINT_COLUMNS):
        raise _contradiction("examples disagree about the size of the same circuit")
    wide = rows.pivot(index="example", columns="fraction", values="value").sort_index()
    if not wide.index.equals(examples) or wide.isna().any(axis=None):
        raise _contradiction("the circuits and the endpoints were not measured on the same examples")
    sizes = points["weighted_edges"]["max"].to_numpy(dtype=np.float64) / n_edges_total
    if not ((sizes >= 0) & (sizes <= 1 + _ROUNDING)).all():
        raise _contradiction(f"a circuit has more weighted edges than the graph's {n_edges_total}, or fewer than 0")
    return RankedExamples(
        fractions=wide.columns.to_numpy(dtype=np.float64),
        n_requested=points["n_requested"]["max"].to_numpy(dtype=np.int64),
        n_edges=points["n_edges"]["max"].to_numpy(dtype=np.int64),
        sizes=np.minimum(sizes, 1.0),
        values=wide.to_numpy(dtype=np.float64),
    )


def _check_columns(frame: pd.DataFrame, wanted: tuple[str, ...], which: str) -> None:
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise _contradiction(f"the {which} table has no column {', '.join(missing)}")
    numbers = frame[[name for name in wanted if name not in ("example", "ranking")]]
    numbers = numbers.apply(pd.to_numeric, errors="coerce")
    if not (numbers.abs() < _LARGEST).all(axis=None):
        raise _contradiction(f"the {which} table holds a value that is not a finite number")


def _contradiction(why: str) -> DataError:
    return DataError(
        "The per-example tables cannot be scored.",
        why=f"In them, {why}.",
        do="Measure the cell again; the tables of one record belong together and are not edited.",
    )
