"""Maps of sites: what is subtracted, what is separable, and differences on shared rows."""

from __future__ import annotations

import numpy as np
import pytest
from variable_tables import linear_tables, variable_tables

from mibench.core.errors import DataError
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.variable.maps import CHANGE, POOLED, STAY, difference_maps, site_maps

SHARES = {"a": [[0.0, 0.2], [0.9, 0.4]], "stays": [[1.0, 1.0], [0.5, np.nan]]}
SHARES["a"][1][1] = np.nan
TABLES = variable_tables(SHARES, {"a": 0.0, "stays": 1.0}, isolate=["stays"], n=20)


def test_every_set_has_a_map_less_what_doing_nothing_gives() -> None:
    maps = site_maps(TABLES)
    change, stay, pooled, own, stays = maps.maps
    assert [one.name for one in maps.maps] == [CHANGE, STAY, POOLED, "a", "stays"]
    assert change.values == pytest.approx(own.values, nan_ok=True)
    assert stay.values == pytest.approx(stays.values, nan_ok=True)
    assert (change.n, stay.n, change.floor, stay.floor) == (20, 20, 0.0, 1.0)
    assert own.values == pytest.approx(np.array([[0.0, 0.2], [0.9, np.nan]]), nan_ok=True)
    assert stays.values == pytest.approx(np.array([[0.0, 0.0], [-0.5, np.nan]]), nan_ok=True)
    assert pooled.values == pytest.approx((own.values + stays.values) / 2, nan_ok=True)
    assert (pooled.floor, own.floor, stays.floor) == (0.5, 0.0, 1.0)
    assert (pooled.n, own.n) == (40, 20)
    assert (maps.layers, maps.columns, maps.axis, maps.chosen) == ((0, 1), ("last", "symbol"), "position", (1, 0))
    assert maps.largest == pytest.approx(0.9)


def test_words_tell_the_extremes_and_the_chosen_site() -> None:
    words = site_maps(TABLES).words
    assert "must change: highest +0.90 at layer 1, last" in words
    assert "lowest +0.00 at layer 0, last" in words
    assert "chosen on validation +0.90 at layer 1, last" in words


def test_a_number_is_separable_where_its_interval_leaves_0_out() -> None:
    maps = site_maps(TABLES, Resampling(resamples=200))
    assert maps.maps[0].separable.tolist() == [[False, True], [True, False]]
    assert site_maps(TABLES).maps[0].separable is None


def test_a_set_of_one_row_separates_nothing() -> None:
    maps = site_maps(variable_tables({"a": [[1.0, 1.0]]}, {"a": 0.0}, n=1), Resampling(resamples=50))
    assert maps.maps[1].values.tolist() == [[1.0, 1.0]]
    assert not any(one.separable.any() for one in maps.maps)


def test_columns_keep_the_order_of_the_task() -> None:
    turned = variable_tables({"a": [[0.1, 0.2]]}, {"a": 0.0}, positions=("z", "b"))
    assert site_maps(turned).columns == ("z", "b")


def test_heads_are_columns_and_groups_of_several_sites_are_told_beside_the_map() -> None:
    maps = site_maps(linear_tables({"x": {"7.3": 1.0, "8.10": 3.0, "joint": 0.5, "noop": 2.0}}))
    assert (maps.layers, maps.columns, maps.axis) == ((7, 8), ("head 3", "head 10"), "head")
    expected = np.array([[1 - 1 / 4, np.nan], [np.nan, 1 - 9 / 4]])
    assert maps.maps[0].values == pytest.approx(expected, nan_ok=True)
    assert maps.chosen is None
    assert maps.joint == (("head.L7.H1@all + head.L8.H1@all", pytest.approx(1 - 0.25 / 4)),)
    assert "squared error" in maps.meaning


def test_a_difference_is_that_of_the_sites_and_rows_that_both_have() -> None:
    other = variable_tables({"a": [[0.1, 0.2], [0.4, 0.7]], "b": [[1, 1], [1, 1]]}, {"a": 0.0, "b": 0.0}, n=20)
    maps = difference_maps(TABLES, other, Resampling(resamples=100))
    assert [one.name for one in maps.maps] == [POOLED, "a"]
    assert maps.maps[1].values == pytest.approx(np.array([[-0.1, 0.0], [0.5, np.nan]]), nan_ok=True)
    assert maps.maps[0].values == pytest.approx(maps.maps[1].values, nan_ok=True)
    assert (maps.chosen, maps.maps[1].floor) == (None, None)


def test_equal_tables_differ_nowhere() -> None:
    maps = difference_maps(TABLES, TABLES, Resampling(resamples=50))
    assert np.nanmax(np.abs(maps.values)) == 0
    assert not any(one.separable.any() for one in maps.maps)


def test_groups_of_several_sites_alone_make_no_map() -> None:
    with pytest.raises(DataError, match="no map"):
        site_maps(linear_tables({"x": {"joint": 0.5, "noop": 2.0}}))
