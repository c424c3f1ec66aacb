"""Long tables to arrays, against a naive loop."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mibench.metrics.grids import Faults, Grid

FAULTS = Faults(twice="twice", others="others")


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10_000))
def test_every_row_lands_in_its_place_whatever_the_order(n_rows: int, n_columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    where = rng.permutation(n_rows)
    order = rng.permutation(n_rows * n_columns)
    rows, columns = np.divmod(order, n_columns)
    values = rng.normal(size=len(order))
    expected = np.full((n_rows, n_columns), np.nan)
    for row, column, value in zip(rows, columns, values, strict=True):
        expected[where[row], column] = value
    grid = Grid.of(rows, columns, where, FAULTS)
    np.testing.assert_array_equal(grid.fill(values), expected)


def test_rows_that_are_doubled_missing_or_of_other_examples_are_told_apart() -> None:
    rows, columns, where = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.array([1, 0])
    assert isinstance(Grid.of(rows, columns, where, FAULTS), Grid)
    assert Grid.of(np.append(rows, 0), np.append(columns, 1), where, FAULTS) == "twice"
    assert Grid.of(rows[:3], columns[:3], where, FAULTS) == "others"
    assert Grid.of(rows, columns, np.array([1, -1]), FAULTS) == "others"
