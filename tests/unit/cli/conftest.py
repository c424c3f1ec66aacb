"""Ways to run the command line, and a store with records to show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mibench.cli.main import main
from mibench.core.specs import Ablation, Cell, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.metrics.areas import FRACTIONS
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.records.record import Cost, Problem, RunRecord, Volatile
from mibench.records.store import Store

N_EDGES = 1000
GOOD = np.array([0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.0, 1.0, 1.0, 1.0])
POOR = np.array([0.0, 0.0, 0.05, 0.1, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0])


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A width of its own: test runners set the one of their workers."""
    monkeypatch.setenv("COLUMNS", "160")


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, errors and exit status included."""

    def call(*words: object) -> Ran:
        status = 0
        try:
            main([str(word) for word in words])
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return call


@pytest.fixture
def shell(tmp_path: Path) -> Run:
    """Runs `python -m mibench` in a process of its own, in an empty folder."""

    def call(*words: object, **environment: str) -> Ran:
        command = [sys.executable, "-m", "mibench", *map(str, words)]
        env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])} | environment
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=120, check=False)
        return Ran(done.returncode, done.stdout, done.stderr)

    return call


def tables(shape, *, seed=0, n=30) -> CircuitTables:
    rng, base = np.random.default_rng(seed), np.random.default_rng(7)
    ids = [f"e{index}" for index in range(n)]
    empty = base.normal(-1, 0.2, n)
    clean = empty + 4 + base.normal(0, 0.2, n)
    rows = [
        {
            "example": name, "ranking": ranking, "fraction": fraction, "n_requested": int(fraction * N_EDGES),
            "n_edges": int(fraction * N_EDGES), "weighted_edges": fraction * N_EDGES,
            "value": empty[i] + height * (clean[i] - empty[i]) + rng.normal(0, 0.1) * (fraction < 1),
        }
        for ranking in ("signed", "absolute")
        for fraction, height in zip(FRACTIONS, shape, strict=True)
        for i, name in enumerate(ids)
    ]  # fmt: skip
    ends = pd.DataFrame({"example": ids, "clean": clean, "empty": empty})
    return CircuitTables(pd.DataFrame(rows), ends, N_EDGES)


def cell(method: str = "eap", *, seed: int | None = None, task: str = "ioi", **params: Any) -> Cell:
    return Cell(
        track=Track.CIRCUIT,
        task=TaskRef(name=task, version=1, split="validation", limit=30, digest="a" * 64),
        model=ModelRef(name="smollm2-135m", digest="b" * 64),
        method=MethodRef(name=method, version=1, params=params, seed=seed),
        level=Level.EDGE,
        ablation=Ablation.COUNTERFACTUAL,
    )


def add(store: Store, where: Cell, shape=GOOD, *, seed: int = 0, n: int = 30) -> RunRecord:
    measured = tables(shape, seed=seed, n=n)
    metrics, curves = circuit_metrics(*measured, resamples=200)
    cost = Volatile(cost=Cost(seconds=1.5, peak_bytes=2**30, forward_passes=60, examples=30))
    record = RunRecord(cell=where, status="ok", metrics=metrics, curves=curves, volatile=cost)
    ends = measured.endpoints.assign(graph_edges=measured.n_edges_total)
    return store.write(record, {"examples": measured.table, "endpoints": ends})


def add_failed(store: Store, where: Cell) -> RunRecord:
    problem = Problem(what="The method ran out of memory.", why="9 GiB were wanted.", do="Use less.")
    return store.write(RunRecord(cell=where, status="failed", problem=problem))


@pytest.fixture
def make_cell() -> Callable[..., Cell]:
    return cell


@pytest.fixture
def add_record() -> Callable[..., RunRecord]:
    return add


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A good method, a poor one, and one that failed, on one task and model."""
    made = Store(tmp_path / "records")
    add(made, cell("eap"), GOOD)
    add(made, cell("random", seed=0), POOR, seed=1)
    add_failed(made, cell("attribution"))
    return made
