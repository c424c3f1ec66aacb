"""Metrics are computed from tables again: new formulas replace numbers, and nothing else moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from variable_tables import variable_tables

from mibench.core.sites import Component
from mibench.core.specs import Ablation, Cell, Level, MethodRef, ModelRef, TaskRef, Track, VariableRef
from mibench.metrics import circuit
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.metric import table_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.metrics.variable.scores import variable_metrics
from mibench.records.encode import record_bytes
from mibench.records.record import MetricValue, Problem, RunRecord
from mibench.records.store import Store
from mibench.runner.again.rescore import obstacle, rescore
from mibench.runner.cells.floors import with_controls

DISTANCE = "distance_absolute"
N_EDGES = 100
IDS = [f"e{place}" for place in range(12)]


def tables(seed):
    rng, base = np.random.default_rng(seed), np.random.default_rng(9)
    empty = base.normal(-1, 0.2, len(IDS))
    clean = empty + 4
    rows = [
        {"example": name, "ranking": ranking, "fraction": share, "n_requested": int(share * N_EDGES),
         "n_edges": int(share * N_EDGES), "weighted_edges": share * N_EDGES,
         "value": empty[place] + share * 4 + rng.normal(0, 0.3) * (share < 1)}
        for ranking in ("signed", "absolute") for share in (0.1, 0.5, 1.0) for place, name in enumerate(IDS)
    ]  # fmt: skip
    return CircuitTables(pd.DataFrame(rows), pd.DataFrame({"example": IDS, "clean": clean, "empty": empty}), N_EDGES)


def cell(method="eap", seed=None, **update):
    own = Cell(
        track=Track.CIRCUIT,
        task=TaskRef(name="t", version=1, split="test", limit=12, digest="a" * 64),
        model=ModelRef(name="m", digest="b" * 64),
        method=MethodRef(name=method, seed=seed),
        level=Level.EDGE,
        ablation=Ablation.COUNTERFACTUAL,
    )
    return own.model_copy(update=update)


def measured(where, seed):
    metrics, curves = circuit_metrics(*tables(seed))
    return RunRecord(cell=where, status="ok", metrics=metrics, curves=curves)


def stored(store, record, seed):
    found = tables(seed)
    return store.write(
        record, {"examples": found.table, "endpoints": found.endpoints.assign(graph_edges=found.n_edges_total)}
    )


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "records")


@pytest.fixture
def board(store):
    """A circuit with the floors of two random rankings and the ceiling of the known truth."""
    draws = [stored(store, with_controls(measured(cell("random", n), n), [], None), n) for n in range(2)]
    truth = stored(store, with_controls(measured(cell("known-truth", 0), 5), [], None), 5)
    return stored(store, with_controls(measured(cell(), 7), draws, truth), 7)


@pytest.fixture
def new_formula(monkeypatch):
    """Gives the distance another formula of a version."""

    def make(version=2):
        def one(metric):
            return replace(metric, version=version, compute=lambda found: metric(found) + 1)

        found = tuple(one(metric) if metric.name == DISTANCE else metric for metric in table_metrics())
        monkeypatch.setattr(circuit, "table_metrics", lambda: found)

    return make


def one(record, store):
    (found,) = rescore([(record, store)])
    return found


def test_nothing_changes_where_no_formula_did(board, store):
    for record in store.query():
        found = one(record, store)
        assert (found.problem, found.changes, found.written) == (None, (), False)
        assert record_bytes(found.record) == record_bytes(record)


def test_a_new_version_replaces_the_number_its_floor_and_its_ceiling_and_keeps_the_former(board, store, new_formula):
    new_formula()
    found = one(board, store)
    before, after = board.metrics[DISTANCE], found.record.metrics[DISTANCE]
    assert [(change.metric, change.kind) for change in found.changes] == [(DISTANCE, "version")]
    for name in ("value", "ci_low", "ci_high", "floor", "ceiling"):
        assert getattr(after, name) == pytest.approx(getattr(before, name) + 1)
    assert after.version == 2
    (former,) = found.record.volatile.former[DISTANCE]
    assert (former.version, former.value, former.ci_low, former.ci_high) == (
        1, before.value, before.ci_low, before.ci_high
    )  # fmt: skip
    assert found.record.metrics["cpr"] == board.metrics["cpr"]
    assert found.record.curves == board.curves


def test_rescored_twice_gives_what_rescored_once_did_and_a_third_version_adds_a_former_number(
    board, store, new_formula
):
    new_formula()
    first = store.write(one(board, store).record)
    assert not one(first, store).written
    new_formula(3)
    second = one(first, store).record
    assert [former.version for former in second.volatile.former[DISTANCE]] == [1, 2]


def test_a_random_ranking_has_no_floor_and_a_circuit_without_its_draws_the_declared_one(board, store, new_formula):
    new_formula()
    draw = next(record for record in store.query() if record.cell.method.seed == 1)
    assert one(draw, store).record.metrics[DISTANCE].floor is None
    store.path(draw.cell).unlink()
    declared = next(metric.floor for metric in table_metrics() if metric.name == DISTANCE)
    assert one(board, store).record.metrics[DISTANCE].floor == declared


def test_controls_of_another_ground_or_of_a_namesake_measure_nothing(board, store, new_formula):
    new_formula()
    before = one(board, store).record.metrics[DISTANCE]
    other = cell("random", 0, task=cell().task.model_copy(update={"digest": "f" * 64}))
    namesake = cell().method.model_copy(update={"name": "random", "seed": 1, "code_digest": "e" * 64})
    for number, where in enumerate((other, cell().model_copy(update={"method": namesake}))):
        stored(store, measured(where, 20 + number), 20 + number)
    assert one(board, store).record.metrics[DISTANCE] == before


def test_a_metric_that_the_record_does_not_have_is_added_and_one_that_is_no_more_stays(board, store):
    metrics = {name: metric for name, metric in board.metrics.items() if name != DISTANCE}
    found = one(board.model_copy(update={"metrics": metrics | {"n_parameters": MetricValue(value=3.0)}}), store)
    assert [(change.metric, change.kind) for change in found.changes] == [(DISTANCE, "new")]
    assert found.record.metrics[DISTANCE] == board.metrics[DISTANCE]
    assert found.record.metrics["n_parameters"].value == 3.0
    assert found.record.volatile.former == {}


def test_a_number_that_moved_without_a_new_version_is_told_and_left(board, store, new_formula):
    new_formula(version=1)
    found = one(board, store)
    assert "same version" in found.problem.what
    assert not found.written
    assert found.record == board


def test_a_curve_that_moved_without_a_new_version_is_told_and_left(board, store):
    curves = {name: [one.model_copy(update={"value": 0.0}) for one in points] for name, points in board.curves.items()}
    assert "curve" in one(board.model_copy(update={"curves": curves}), store).problem.what


def test_rounding_of_another_machine_is_no_change(board, store):
    metrics = {
        name: metric if metric.value is None else metric.model_copy(update={"value": metric.value * (1 + 1e-13)})
        for name, metric in board.metrics.items()
    }
    moved = board.model_copy(update={"metrics": metrics})
    assert moved != board
    found = one(moved, store)
    assert (found.written, found.record) == (False, moved)


def test_a_record_of_a_newer_formula_is_left(board, store):
    metrics = board.metrics | {DISTANCE: board.metrics[DISTANCE].model_copy(update={"version": 9})}
    assert "newer mibench" in one(board.model_copy(update={"metrics": metrics}), store).problem.what


def test_the_metrics_of_a_variable_are_computed_from_its_tables(store):
    where = cell("das").model_copy(
        update={"track": Track.VARIABLE, "level": None, "ablation": None,
                "variable": VariableRef(name="a", component=Component.RESIDUAL_POST, positions=("last", "symbol"))}
    )  # fmt: skip
    found = variable_tables({"s": [[0.2, 0.9], [0.5, 1.0]]}, {"s": 0.1}, n_layers=2)
    metrics = variable_metrics(found) | {"n_parameters": MetricValue(value=3.0)}
    record = store.write(RunRecord(cell=where, status="ok", metrics=metrics), found.by_name())
    assert (obstacle(record, store), one(record, store).written) == (None, False)
    highest = metrics["iia_highest"].model_copy(update={"version": 1, "unit": "old"})
    old = record.model_copy(update={"metrics": metrics | {"iia_highest": highest}})
    changed = one(old, store)
    assert [(change.metric, change.kind) for change in changed.changes] == [("iia_highest", "text")]
    assert changed.record == record.model_copy(update={"volatile": changed.record.volatile})


def test_what_cannot_be_rescored_is_known_before_a_table_is_read(board, store):
    problem = Problem(what="It broke.", why="x", do="y")
    failed = RunRecord(cell=cell("gone"), status="failed", problem=problem)
    dictionary = board.model_copy(update={"cell": cell(track=Track.SAE)})
    bare = board.model_copy(update={"tables": {}})
    assert "no numbers" in obstacle(failed, store).why
    assert "the model" in obstacle(dictionary, store).why
    assert "'examples'" in obstacle(bare, store).why
    store.path(board.cell).with_name(board.tables["endpoints"].file).unlink()
    assert "not beside it" in obstacle(board, store).why


def test_a_damaged_table_is_told_and_the_others_go_on(board, store):
    draw = next(record for record in store.query() if record.cell.method.name == "random")
    store.path(board.cell).with_name(board.tables["examples"].file).write_bytes(b"x")
    first, second = rescore([(board, store), (draw, store)])
    assert "sha256" in first.problem.why
    assert second.problem is None
