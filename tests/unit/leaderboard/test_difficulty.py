from __future__ import annotations

from pathlib import Path

import pytest

from mibench.core.specs import Cell, Level, MethodRef, ModelRef, TaskRef, Track
from mibench.leaderboard.difficulty import courses
from mibench.leaderboard.rows import Entry, make_groups
from mibench.records.record import MetricValue, RunRecord
from mibench.records.store import Store


def entry(model: str, method: str, value: float | None, task: str = "planted-ioi", level: Level = Level.EDGE) -> Entry:
    cell = Cell(
        track=Track.CIRCUIT,
        level=level,
        task=TaskRef(name=task, version=1, split="test", digest="a"),
        model=ModelRef(name=model, digest=model),
        method=MethodRef(name=method),
    )
    metric = MetricValue(value=value, reason=None if value is not None else "undefined")
    return Entry(RunRecord(cell=cell, status="ok", metrics={"auroc": metric}), Store(Path("nowhere")))


def found(*entries):
    return [(one.method, one.difficulties, one.values) for one in courses(make_groups(entries), "auroc")]


EASY, HARD = "planted-ioi-gpt2", "planted-ioi-gpt2-d3"


def test_methods_are_in_the_order_of_the_hardest_and_controls_are_left_out():
    both = [entry(EASY, "a", 1.0), entry(HARD, "a", 0.6), entry(EASY, "b", 0.9), entry(HARD, "b", 0.8)]
    control = [entry(EASY, "known-truth", 1.0), entry(HARD, "known-truth", 1.0)]
    assert found(*both, *control) == [("b", (0, 3), (0.9, 0.8)), ("a", (0, 3), (1.0, 0.6))]


def test_means_are_over_models_that_are_there_at_every_difficulty():
    more = [entry("planted-ioi-llama", "a", 0.0)]
    assert found(entry(EASY, "a", 1.0), entry(HARD, "a", 0.6), *more) == [("a", (0, 3), (1.0, 0.6))]


def test_a_method_without_a_number_somewhere_is_left_out():
    rest = [entry(EASY, "b", 0.9), entry(HARD, "b", 0.8)]
    assert [one[0] for one in found(entry(EASY, "a", 1.0), entry(HARD, "a", None), *rest)] == ["b"]


@pytest.mark.parametrize("other", [{"task": "planted-ioi-s2-io-flip"}, {"level": Level.NODE}, {"model": "local:x"}])
def test_other_sets_levels_and_models_do_not_count(other):
    assert found(entry(**{"model": EASY, "method": "a", "value": 1.0} | other)) == []
