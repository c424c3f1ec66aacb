"""Records to test with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mibench.core.specs import Cell, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import CurvePoint, MetricValue, RunRecord
from mibench.records.store import Store

MakeRecord = Callable[..., RunRecord]


@pytest.fixture(scope="session")
def make_record() -> MakeRecord:
    """Return a maker of records; words name the parts of the cell, and fields of the record."""

    def make(*, task: str = "ioi", model: str = "gpt2", method: str = "eap", seed: int = 0, **fields: Any) -> RunRecord:
        cell = Cell(
            track=Track.CIRCUIT,
            task=TaskRef(name=task, version=1, split="validation", digest="a" * 64),
            model=ModelRef(name=model, digest="b" * 64),
            method=MethodRef(name=method, version=1, params={"steps": 5}, seed=seed),
            level=Level.EDGE,
        )
        whole: dict[str, Any] = {
            "cell": cell,
            "status": "ok",
            "metrics": {
                "cpr": MetricValue(value=0.5, ci_low=0.25, ci_high=0.75, ci_source="examples", n=10),
                "auroc": MetricValue(value=None, reason="the true circuit is not known"),
            },
            "curves": {"faithfulness_signed": [CurvePoint(fraction=0.1, n_requested=3, n_edges=2, value=0.9)]},
        }
        return RunRecord(**whole | fields)

    return make


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "records")


def examples(scale: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"example": ["a", "b", "c"], "value": np.array([0.1, -2.0, 3.5]) * scale, "n": [1, 2, 3]})


def files(store: Store) -> list[str]:
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file())
