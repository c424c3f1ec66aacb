"""Per-example tables of the circuit track: check them and turn them into arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from mibench.core.errors import DataError
from mibench.core.specs import Track
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.long_tables import RankedExamples, check_columns, contradiction, ranked, removals
from mibench.metrics.metric import CircuitMetric, RankingName
from mibench.records.record import RunRecord
from mibench.records.store import Store

ENDPOINT_COLUMNS = ("example", "clean", "empty")

COMPLETENESS = "completeness"
"""Extra table: the complement of each circuit, columns as of the circuits; sizes are those of the circuit itself."""
MINIMALITY = "minimality"
"""Extra table: circuits without one of their edges, columns `long_tables.REMOVAL_COLUMNS`."""


class CircuitTables(NamedTuple):
    """What the circuit track measured for one artifact.

    Attributes:
        table: One row per example × ranking × size, columns `long_tables.TABLE_COLUMNS`; ``kl`` in newer records.
        endpoints: One row per example, columns `ENDPOINT_COLUMNS`: the full model and the empty circuit;
            ``kl_empty`` in newer records.
        n_edges_total: Real edges of the whole graph.
        extras: Tables that cost more passes and were asked for, by name: `COMPLETENESS`, `MINIMALITY`.
    """

    table: pd.DataFrame
    endpoints: pd.DataFrame
    n_edges_total: int
    extras: Mapping[str, pd.DataFrame] = MappingProxyType({})

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
            raise contradiction("the endpoints do not say how many edges the graph has (graph_edges)")
        extras = {name: store.table(record, name) for name in (COMPLETENESS, MINIMALITY) if name in record.tables}
        return cls(table, endpoints, int(endpoints["graph_edges"].iloc[0]), extras)


@dataclass(frozen=True)
class CircuitExamples:
    """The tables as arrays, examples in the order of their ids.

    Attributes:
        examples: Ids, sorted.
        full: Metric of the full model on the clean prompt. `[examples]`
        empty: Metric of the empty circuit. `[examples]`
        rankings: The circuits of each ranking that was measured.
        kl_empty: KL(full model ‖ empty circuit) in nats; None: not measured. `[examples]`
        removals: By requested fraction, the task's metric of the absolute ranking's circuit without one of its edges;
            None: not measured. `[examples, edges]`
    """

    examples: tuple[str, ...]
    full: FloatArray
    empty: FloatArray
    rankings: dict[RankingName, RankedExamples]
    kl_empty: FloatArray | None = None
    removals: dict[float, FloatArray] | None = None

    @property
    def any_ranking(self) -> RankingName:
        """A ranking that was measured, for what does not depend on it."""
        return next(iter(self.rankings), "signed")

    def not_measured(self, metric: CircuitMetric, ranked: RankedExamples) -> str | None:
        """Return why the tables do not hold what ``metric`` is computed from, or None."""
        if metric.of == "kl" and (ranked.kl is None or self.kl_empty is None):
            return "not measured: the record is older than this metric; run its cell again"
        if metric.of == "complement" and ranked.complement is None:
            return "not measured: run with --extra completeness"
        if metric.of == "minimality" and self.removals is None:
            return "not measured: run with --extra minimality"
        if metric.of == "minimality" and metric.size not in (self.removals or {}):
            return f"no circuit of {metric.size:.0%} with an edge to remove was measured"
        return None


def read_tables(tables: CircuitTables) -> CircuitExamples:
    """Check the tables and return them as arrays.

    Raises:
        DataError: Columns, examples or circuits are missing, doubled, or contradict each other.
    """
    table, endpoints, n_edges_total, extras = tables
    check_columns(endpoints, ENDPOINT_COLUMNS, "endpoints")
    names = pd.Index(endpoints["example"].astype(str))
    if n_edges_total < 1:
        raise contradiction(f"the graph has {n_edges_total} edges")
    if names.empty or names.has_duplicates:
        raise contradiction("the endpoints table is empty or has an example twice")
    order = np.arange(len(names)) if names.is_monotonic_increasing else names.argsort()
    names = names[order]
    rankings = ranked(table, names, n_edges_total)
    if COMPLETENESS in extras:
        others = ranked(extras[COMPLETENESS], names, n_edges_total)
        rankings = {name: _with_complement(one, others.get(name)) for name, one in rankings.items()}
    single = None
    if MINIMALITY in extras:
        single = removals(extras[MINIMALITY], names, rankings.get("absolute"))
    clean, empty = (endpoints[name].to_numpy(dtype=np.float64)[order] for name in ("clean", "empty"))
    kl_empty = _kl_empty(endpoints)
    return CircuitExamples(tuple(names), clean, empty, rankings, None if kl_empty is None else kl_empty[order], single)


def _kl_empty(ends: pd.DataFrame) -> FloatArray | None:
    if "kl_empty" not in ends.columns:
        return None
    check_columns(ends, ("kl_empty",), "endpoints")
    return ends["kl_empty"].to_numpy(dtype=np.float64)


def _with_complement(one: RankedExamples, other: RankedExamples | None) -> RankedExamples:
    if other is None or not np.array_equal(one.fractions, other.fractions):
        raise contradiction("the complements are not those of the circuits")
    return replace(one, complement=other.values)
