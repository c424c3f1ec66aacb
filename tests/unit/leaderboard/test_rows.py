"""Records become rows: one a method, seeds together, comparable cells in one group."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from mibench.core.specs import Convention
from mibench.leaderboard.rows import Group, collect, make_groups
from mibench.leaderboard.seeds import interval
from mibench.records.store import Store

from .conftest import FAIR, GOOD, PROBLEM, Shelf, make_cell


def groups(shelf: Shelf) -> list[Group]:
    return make_groups(collect([shelf.store]))


def test_a_group_holds_what_may_be_compared(shelf: Shelf) -> None:
    shelf.fail("eap")
    shelf.fail("eap-ig")
    shelf.fail("eap", task="other")
    shelf.fail("eap", model="gpt2")
    shelf.fail("eap", limit=10)
    shelf.fail("eap", convention=Convention.MIB)
    found = groups(shelf)
    assert sorted(len(group.rows) for group in found) == [1, 1, 1, 1, 2]
    assert len({group.id for group in found}) == 5


def test_seeds_are_one_row_of_their_mean_with_an_interval_over_seeds(shelf: Shelf) -> None:
    records = [shelf.add("random", FAIR, seed=seed) for seed in (0, 1, 2)]
    (row,) = groups(shelf)[0].rows
    values = [record.metrics["cmd"].value for record in records]
    low, high = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
    cmd = row.metrics["cmd"]
    assert (cmd.value, cmd.ci_low, cmd.ci_high) == pytest.approx((sum(values) / 3, low, high), rel=1e-9)
    assert (cmd.ci_source, cmd.n, row.seeds) == ("seeds", 3, [0, 1, 2])
    assert "mean of 3 seeds" in row.detail
    point = row.curves["faithfulness_signed"][3]
    assert point.value == pytest.approx(sum(record.curves["faithfulness_signed"][3].value for record in records) / 3)


def test_one_seed_keeps_the_interval_over_examples(shelf: Shelf) -> None:
    record = shelf.add("random", FAIR, seed=4)
    (row,) = groups(shelf)[0].rows
    assert row.metrics == record.metrics
    assert "seed 4" in row.detail


def test_a_failed_seed_leaves_no_mean_of_the_others(shelf: Shelf) -> None:
    shelf.add("random", FAIR, seed=0)
    shelf.fail("random", seed=1)
    (row,) = groups(shelf)[0].rows
    assert (row.status, row.metrics, row.curves) == ("failed", {}, {})
    assert row.reason == f"1 of 2 seeds: {PROBLEM.what} {PROBLEM.why} {PROBLEM.do}"


def test_seeds_without_a_value_or_of_two_versions_have_no_mean_and_say_why(shelf: Shelf) -> None:
    shelf.add("random", FAIR, seed=0, changes={"cmd": {"version": 2}})
    gone = {"value": None, "ci_low": None, "ci_high": None, "ci_source": None, "reason": "undefined"}
    shelf.add("random", FAIR, seed=1, changes={"cpr": gone})
    metrics = groups(shelf)[0].rows[0].metrics
    assert (metrics["cpr"].value, metrics["cpr"].reason) == (None, "seed 1: undefined")
    assert (metrics["cmd"].value, metrics["cmd"].reason) == (None, "the seeds have versions [1, 2] of cmd")


def test_methods_of_one_name_are_labelled_by_what_sets_them_apart(shelf: Shelf) -> None:
    shelf.fail("eap-ig", params={"steps": 5})
    shelf.fail("eap-ig", params={"steps": 10})
    shelf.fail("eap")
    assert [row.label for row in groups(shelf)[0].rows] == [
        "eap", "eap-ig · v1 · steps=10", "eap-ig · v1 · steps=5",
    ]  # fmt: skip


def test_of_two_stores_the_record_with_numbers_counts(shelf: Shelf) -> None:
    good = shelf.add("eap", GOOD)
    other = Shelf(shelf.records.with_name("other"), shelf.out)
    other.fail("eap")
    for stores in ([shelf.store, other.store], [other.store, shelf.store]):
        (entry,) = collect(stores)
        assert entry.record == good
        assert entry.store.folder == shelf.records


@pytest.mark.parametrize(
    ("ends", "mean"),
    [((0.1, 0.3), 0.2), ((0.1, 0.1), 0.1), ((None, 0.1), None), ((0.1, None), None), ((None, None), None)],
)
def test_floor_and_ceiling_of_a_row_are_means_where_all_seeds_have_one(shelf: Shelf, ends, mean) -> None:
    for seed, end in enumerate(ends):
        shelf.add("random", FAIR, seed=seed, changes={"cmd": {"floor": end}, "cpr": {"ceiling": end}})
    metrics = groups(shelf)[0].rows[0].metrics
    assert metrics["cmd"].floor == (mean if mean is None else pytest.approx(mean, abs=1e-15))
    assert metrics["cpr"].ceiling == metrics["cmd"].floor


def test_equal_floors_of_seeds_stay_as_they_are(shelf: Shelf) -> None:
    for seed in range(3):
        shelf.add("random", FAIR, seed=seed, changes={"cmd": {"floor": 0.1}})
    assert groups(shelf)[0].rows[0].metrics["cmd"].floor == 0.1
    assert sum([0.1] * 3) / 3 != 0.1


def test_costs_are_means_and_unknown_where_one_is(shelf: Shelf) -> None:
    shelf.add("random", seed=0)
    shelf.add("random", seed=1)
    (row,) = groups(shelf)[0].rows
    assert row.costs == {"seconds": 75.5, "passes_per_example": 3.0, "peak_bytes": 3 * 2**29}
    shelf.fail("random", seed=2)
    assert groups(shelf)[0].rows[0].costs["seconds"] is None


def test_an_empty_store_has_no_groups(shelf: Shelf) -> None:
    assert groups(shelf) == []
    assert collect([Store(shelf.records / "nowhere")]) == []


def test_the_interval_of_equal_seeds_has_no_width() -> None:
    assert interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)
    mean, low, high = interval([1.0, 3.0])
    assert (mean, high - mean) == pytest.approx((2.0, mean - low))
    assert high - mean == pytest.approx(12.7062047 * math.sqrt(2) / math.sqrt(2), rel=1e-6)


def test_ids_do_not_depend_on_the_seed_but_on_the_parameters() -> None:
    cells = [make_cell("x", seed=seed, params=params) for seed in (0, 1) for params in ({}, {"a": 1})]
    assert len({cell.id for cell in cells}) == 4
