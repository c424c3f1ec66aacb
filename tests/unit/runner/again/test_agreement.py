"""A repeat is compared number by number; the verdict is that of the largest difference."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.core.specs import Cell, MethodRef, ModelRef, TaskRef, Track
from mibench.records.record import CurvePoint, MetricValue, RunRecord
from mibench.records.store import Store
from mibench.runner.again.agreement import agreement

TOLERANCE = 1e-3
TABLE = pd.DataFrame(
    {"example": ["a", "b", None], "value": [0.5, -200.0, np.nan], "n": [1, 2, 3], "right": [True, False, True]}
)


def record(track: Track = Track.CIRCUIT, **metric: object) -> RunRecord:
    cell = Cell(
        track=track,
        task=TaskRef(name="t", version=1, split="test", digest="a"),
        model=ModelRef(name="m", digest="b"),
        method=MethodRef(name="eap"),
    )
    known = {"value": 0.5, "ci_low": 0.25, "ci_high": 0.75, "ci_source": "examples", "n": 3, "floor": 0.1}
    point = CurvePoint(fraction=0.1, n_requested=3, n_edges=2, value=0.9)
    return RunRecord(
        cell=cell, status="ok", metrics={"cmd": MetricValue.model_validate(known | metric)}, curves={"f": [point]}
    )


@pytest.fixture
def compared(tmp_path):
    """Compares a record and its table with others."""
    first, second = Store(tmp_path / "one"), Store(tmp_path / "two")

    def compare(repeat=None, table=TABLE, *, own=None):
        one = first.write(own or record(), {"examples": TABLE})
        other = second.write(repeat or own or record(), {} if table is None else {"examples": table})
        return agreement(one, first, other, second, tolerance=TOLERANCE)

    return compare


def test_equal_numbers_match(compared):
    found = compared()
    assert (found.verdict, found.largest, found.left_out) == ("match", None, ())


def test_columns_metrics_and_tables_that_are_younger_than_the_record_do_not_count(compared):
    repeat = record()
    repeat = repeat.model_copy(update={"metrics": repeat.metrics | {"cpr": MetricValue(value=1.0)}})
    assert compared(repeat, TABLE.assign(kl=1.0)).verdict == "match"


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"value": 0.5004}, "drift"),
        ({"ci_low": 0.2495}, "drift"),
        ({"value": 0.502}, "mismatch"),
        ({"n": 4}, "mismatch"),
    ],
)
def test_a_metric_within_the_tolerance_drifts(compared, change, verdict):
    (name,) = change
    found = compared(record(**change))
    assert (found.verdict, found.largest.where) == (verdict, f"metric cmd, {name}")


def test_the_floor_of_a_circuit_is_measured_by_other_cells_and_that_of_a_variable_is_not(compared):
    assert compared(record(floor=0.7)).verdict == "match"
    assert compared(record(Track.VARIABLE, floor=0.7), own=record(Track.VARIABLE)).verdict == "mismatch"


def test_a_number_without_a_counterpart_is_a_mismatch_without_a_size(compared):
    gone = {"value": None, "reason": "undefined", "ci_low": None, "ci_high": None, "ci_source": None}
    for repeat in (
        record(**gone),
        record().model_copy(update={"metrics": {}}),
        record().model_copy(update={"curves": {}}),
    ):
        found = compared(repeat)
        assert (found.verdict, found.largest.difference) == ("mismatch", None)


def test_a_metric_of_another_version_is_left_out_and_named(compared):
    found = compared(record(value=0.9, ci_high=1.0, version=2))
    assert (found.verdict, found.left_out) == ("match", ("cmd",))


def test_a_point_of_a_curve_counts(compared):
    points = {"f": [CurvePoint(fraction=0.1, n_requested=3, n_edges=2, value=0.9001)]}
    found = compared(record().model_copy(update={"curves": points}))
    assert (found.verdict, found.largest.where) == ("drift", "curve f at 0.1, value")
    assert found.largest.difference == pytest.approx(1e-4)


def changed(column, row, value):
    table = TABLE.copy()
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "difference", "where"),
    [
        (changed("value", 1, -200.1), 0.1 / 200, "table examples, column value, row 1"),
        (changed("value", 0, 0.6), 0.1, "table examples, column value, row 0"),
        (changed("value", 2, 1.0), None, "table examples, column value, row 2"),
        (changed("n", 2, 4), 1 / 3, "table examples, column n, row 2"),
        (changed("right", 1, True), None, "table examples, column right, row 1"),
        (changed("example", 2, "c"), None, "table examples, column example, row 2"),
        (TABLE.drop(columns="value"), None, "table examples, column value: the repeat has none"),
        (TABLE[:2], None, "table examples: 3 rows, 2 in the repeat"),
        (None, None, "table examples: the repeat has none"),
    ],
)
def test_a_table_is_compared_cell_by_cell(compared, table, difference, where):
    found = compared(table=table)
    assert found.largest.where == where
    assert found.largest.difference == (difference if difference is None else pytest.approx(difference))
    assert found.verdict == ("drift" if difference is not None and difference <= TOLERANCE else "mismatch")


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3))
def test_the_largest_relative_difference_of_a_column_is_that_of_a_loop(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("stores")
    first, second = Store(folder / "one"), Store(folder / "two")
    table = TABLE.assign(value=[0.5, -200.0, 3.0])
    one = first.write(record(), {"examples": table})
    other = second.write(record(), {"examples": table.assign(value=values)})
    found = agreement(one, first, other, second, tolerance=TOLERANCE)
    naive = max(abs(a - b) / max(1.0, abs(a)) for a, b in zip(table["value"], values, strict=True))
    assert (0.0 if found.largest is None else found.largest.difference) == pytest.approx(naive, abs=1e-15)
