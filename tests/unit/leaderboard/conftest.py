"""A synthetic store: circuits of known shapes, scored as the circuit track scores them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mibench.core.specs import Ablation, Cell, Convention, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.metrics.areas import FRACTIONS
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.records.record import Cost, Problem, RunRecord, Volatile
from mibench.records.store import Store

N_EDGES = 1000
GOOD = (0.35, 0.5, 0.7, 0.85, 0.95, 0.98, 1.0, 1.0, 1.0, 1.0)
FAIR = (0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 1.0, 1.0)
DEAD = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
PROBLEM = Problem(what="The method failed.", why="Out of memory.", do="Use a smaller batch.")


def circuit_tables(shape: tuple[float, ...], *, seed: int = 0, noise: float = 0.2, n: int = 30) -> CircuitTables:
    """Tables of circuits whose faithfulness is `shape` up to noise; all share model and examples."""
    rng, base = np.random.default_rng(seed), np.random.default_rng(123)
    ids = [f"e{index:03}" for index in range(n)]
    empty = base.normal(-1, 1, n)
    clean = empty + 4 + base.normal(0, 1, n)
    frames = [
        pd.DataFrame(
            {
                "example": ids, "ranking": ranking, "fraction": fraction,
                "n_requested": round(fraction * N_EDGES), "n_edges": round(fraction * N_EDGES),
                "weighted_edges": fraction * N_EDGES,
                "value": empty + height * (clean - empty) + rng.normal(0, noise, n) * (fraction < 1),
            }
        )
        for ranking in ("signed", "absolute")
        for fraction, height in zip(FRACTIONS, shape, strict=True)
    ]  # fmt: skip
    ends = pd.DataFrame({"example": ids, "clean": clean, "empty": empty})
    return CircuitTables(pd.concat(frames, ignore_index=True), ends, N_EDGES)


def make_cell(
    method: str, *, task: str = "ioi", model: str = "smollm2-135m", seed: int | None = None, **fields: Any
) -> Cell:
    """A cell of the circuit track."""
    return Cell(
        track=Track.CIRCUIT,
        task=TaskRef(
            name=task,
            version=1,
            split=fields.get("split", "test"),
            limit=fields.get("limit", 30),
            digest="a" * 64,
        ),
        model=ModelRef(name=model, digest="b" * 64),
        method=MethodRef(name=method, version=1, params=fields.get("params", {}), seed=seed),
        level=Level.EDGE,
        ablation=Ablation.COUNTERFACTUAL,
        convention=fields.get("convention", Convention.MIBENCH),
    )


@dataclass(frozen=True)
class Shelf:
    """A folder of records to fill, and the folder to build into."""

    records: Path
    out: Path

    @property
    def store(self) -> Store:
        return Store(self.records)

    def add(
        self,
        method: str,
        shape: tuple[float, ...] = GOOD,
        *,
        noise: float = 0.2,
        tables: bool = True,
        **fields: Any,
    ) -> RunRecord:
        """Score circuits of `shape` and write the record, as a run would."""
        cell = make_cell(method, **fields)
        measured = circuit_tables(shape, seed=fields.get("draw", 0) + (fields.get("seed") or 0), noise=noise)
        metrics, curves = circuit_metrics(*measured, resamples=200)
        metrics |= {
            name: value.model_copy(update=change)
            for name, change in fields.get("changes", {}).items()
            for value in [metrics[name]]
        }
        usual = Cost(seconds=75.5, peak_bytes=3 * 2**29, forward_passes=60.0, backward_passes=30.0, examples=30)
        cost = fields.get("cost", usual)
        record = RunRecord(
            cell=cell, status="ok", metrics=metrics, curves=curves, volatile=Volatile(cost=cost, discovery=cost),
            looks_at_test=fields.get("looks"),
        )  # fmt: skip
        ends = measured.endpoints.assign(graph_edges=measured.n_edges_total)
        stored = {"examples": measured.table, "endpoints": ends} if tables else {}
        return self.store.write(record, stored)

    def fail(self, method: str, *, problem: Problem = PROBLEM, status: Any = "failed", **fields: Any) -> RunRecord:
        """Write a record without numbers."""
        return self.store.write(RunRecord(cell=make_cell(method, **fields), status=status, problem=problem))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "records").mkdir()
    return Shelf(tmp_path / "records", tmp_path / "out")


def bytes_of(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
