from __future__ import annotations

import pytest

from mibench.core.specs import Cell, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import MetricValue, Problem, RunRecord
from mibench.runner.cells.floors import is_draw, with_controls


def record(seed: int | None, method: str = "random", **values: float | None) -> RunRecord:
    cell = Cell(
        track=Track.CIRCUIT,
        task=TaskRef(name="t", version=1, split="test", digest="a"),
        model=ModelRef(name="m", digest="b"),
        method=MethodRef(name=method, seed=seed),
    )
    metrics = {
        name: MetricValue(value=value, reason=None if value is not None else "undefined")
        for name, value in values.items()
    }
    if not values:
        return RunRecord(cell=cell, status="failed", problem=Problem(what="x", why="y", do="z"))
    return RunRecord(cell=cell, status="ok", metrics=metrics)


def floors(draws, **values):
    found = with_controls(record(None, "eap", **values), draws, None)
    return {name: metric.floor for name, metric in found.metrics.items()}, found.floor_draws


def test_a_floor_is_the_mean_over_good_draws_with_a_number():
    draws = [record(0, cmd=0.5, cpr=1.0), record(1, cmd=1.0, cpr=None), record(2)]
    assert floors(draws, cmd=0.1, cpr=2.0) == ({"cmd": 0.75, "cpr": 1.0}, 2)


@pytest.mark.parametrize("draws", [[], [record(0)]])
def test_without_draws_the_floor_is_the_declared_one_and_the_record_says_so(draws):
    assert floors(draws, cmd=0.1, cpr=2.0, overshoot_signed=1.0) == (
        {"cmd": 0.749, "cpr": 0.25, "overshoot_signed": None},
        0,
    )


def test_a_draw_has_no_floor_and_a_namesake_has_one():
    draw = with_controls(record(0, cmd=0.5), [record(1, cmd=0.7)], None)
    assert (draw.metrics["cmd"].floor, draw.floor_draws) == (None, None)
    assert is_draw(draw.cell)
    method = draw.cell.method.model_copy(update={"code_digest": "c"})
    assert not is_draw(draw.cell.model_copy(update={"method": method}))


def test_the_ceiling_is_what_the_known_truth_reaches_else_what_is_declared():
    truth = record(0, "known-truth", cmd=0.02, cpr=None)
    found = with_controls(record(None, "eap", cmd=0.1, cpr=2.0), [], truth)
    declared = with_controls(record(None, "eap", cmd=0.1, cpr=2.0), [], record(0, "known-truth"))
    assert found.metrics["cmd"].ceiling == 0.02
    assert found.metrics["cpr"].ceiling == declared.metrics["cpr"].ceiling
    assert declared.metrics["cmd"].ceiling is None
