from __future__ import annotations

import pytest

from mibench.core.specs import Cell, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import MetricValue, Problem, RunRecord
from mibench.runner.floors import floors_of, with_floors


def record(seed: int, **values: float | None) -> RunRecord:
    cell = Cell(
        track=Track.CIRCUIT,
        task=TaskRef(name="t", version=1, split="test", digest="a"),
        model=ModelRef(name="m", digest="b"),
        method=MethodRef(name="random", seed=seed),
    )
    metrics = {
        name: MetricValue(value=value, reason=None if value is not None else "undefined")
        for name, value in values.items()
    }
    if not values:
        return RunRecord(cell=cell, status="failed", problem=Problem(what="x", why="y", do="z"))
    return RunRecord(cell=cell, status="ok", metrics=metrics)


def test_a_floor_is_the_mean_over_good_draws_with_a_number():
    draws = [record(0, cmd=0.5, cpr=1.0), record(1, cmd=1.0, cpr=None), record(2)]
    assert floors_of(draws) == {"cmd": 0.75, "cpr": 1.0}


@pytest.mark.parametrize("draws", [[], [record(0)], [record(0, cmd=None)]])
def test_without_numbers_there_is_no_measured_floor(draws):
    assert floors_of(draws) == {}


def test_a_measured_floor_takes_the_place_of_the_declared_one():
    metrics = {name: MetricValue(value=1.0, floor=0.25) for name in ("cpr", "cmd")}
    found = with_floors(metrics, {"cpr": 0.3, "other": 1.0})
    assert {name: metric.floor for name, metric in found.items()} == {"cpr": 0.3, "cmd": 0.25}
    assert metrics["cpr"].floor == 0.25
