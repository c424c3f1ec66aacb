"""Frontier areas: known answers, what they may not depend on, and when there is none."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.metrics.sae.family import TOGETHER, Point, compare_families, family_area
from mibench.metrics.sae.frontier import Window, areas_in, common_window, frontier_area
from mibench.records.record import MetricValue

SWEEP = np.array([10.0, 25.0, 65.0, 160.0, 320.0])


def naive(l0, values, low, high, steps=200_001):
    """The mean over a fine grid in ln L0, by the midpoint rule."""
    grid = np.linspace(math.log(low), math.log(high), steps)
    middle = (grid[1:] + grid[:-1]) / 2
    return float(np.interp(middle, np.log(l0), values).mean())


def test_a_constant_has_its_own_height_and_the_whole_range() -> None:
    area = frontier_area(SWEEP, np.full(5, 0.7))
    assert area.value == pytest.approx(0.7, abs=1e-15)
    assert area.window == Window(20.0, 200.0)
    assert (area.sparsities, area.reason) == (5, None)


def test_a_line_in_log_l0_has_the_height_of_the_middle_of_the_window() -> None:
    area = frontier_area(SWEEP, 3 * np.log(SWEEP) - 1)
    assert area.value == pytest.approx(3 * math.log(math.sqrt(20 * 200)) - 1, rel=1e-14)


def test_a_triangle_has_the_area_that_geometry_gives() -> None:
    # Ends at 20 and 320, top in the middle of ln L0, at 80: over [20, 320] the mean is a half.
    area = frontier_area(np.array([20.0, 80.0, 320.0]), np.array([0.0, 1.0, 0.0]), low=20, high=320)
    assert area.value == pytest.approx(0.5, rel=1e-14)


def test_published_loss_recovered_has_the_area_of_a_fine_grid() -> None:
    l0 = np.array([20.0, 40.0, 80.0, 160.0, 320.0, 640.0])
    recovered = np.array([0.9744, 0.9850, 0.9910, 0.9943, 0.9966, 0.9982])
    assert frontier_area(l0, recovered).value == pytest.approx(naive(l0, recovered, 20, 200), abs=1e-9)


def test_a_family_that_covers_a_part_is_measured_there_and_nothing_is_extended() -> None:
    l0, values = np.array([30.0, 60.0, 90.0]), np.array([0.0, 1.0, 1.0])
    area = frontier_area(l0, values)
    assert area.window == Window(30.0, 90.0)
    assert area.value == pytest.approx((0.5 * math.log(2) + math.log(1.5)) / math.log(3))


@pytest.mark.parametrize(
    ("l0", "reason"),
    [
        ([], "no dictionary"),
        ([40.0, 80.0], "2 sparsities, a frontier needs 3"),
        ([40.0, 40.0, 40.0, 80.0], "2 sparsities, a frontier needs 3"),
        ([5.0, 10.0, 30.0], r"covers \[20, 30\] of L0 \[20, 200\], 0.58 octaves"),
        ([1.0, 2.0, 4.0], r"no dictionary is near L0 \[20, 200\]"),
        ([300.0, 400.0, 500.0], "no dictionary is near"),
    ],
)
def test_a_family_without_a_frontier_says_why(l0, reason) -> None:
    area = frontier_area(np.array(l0), np.ones(len(l0)))
    assert area.value is None
    assert area.reason is not None
    assert area.sparsities == len(set(l0))
    assert re.search(reason, area.reason)


def test_an_octave_is_just_enough() -> None:
    assert frontier_area(np.array([30.0, 45.0, 60.0]), np.ones(3)).value == 1.0
    assert frontier_area(np.array([30.0, 45.0, 59.9]), np.ones(3)).value is None


@pytest.mark.parametrize(
    ("l0", "values"),
    [([0.0, 1.0, 2.0], [1, 1, 1]), ([1.0, 2.0, math.nan], [1, 1, 1]), ([1.0, 2.0, 3.0], [1, 1, math.inf]), ([1.0], [])],
)
def test_numbers_that_are_none_are_refused(l0, values) -> None:
    with pytest.raises(DataError):
        frontier_area(np.array(l0), np.array(values, dtype=float))
    with pytest.raises(DataError, match="no frontier"):
        frontier_area(SWEEP, SWEEP, low=5, high=5)


sweeps = st.lists(
    st.tuples(st.floats(2, 2000), st.floats(-5, 5), st.integers(1, 3)), min_size=3, max_size=8, unique_by=lambda p: p[0]
)


@given(sweeps, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(points, random) -> None:
    l0, values, _ = map(np.array, zip(*points, strict=True))
    expected = frontier_area(l0, values)
    mixed = [(x, y) for x, y, times in points for _ in range(times)]
    random.shuffle(mixed)
    found = frontier_area(*map(np.array, zip(*mixed, strict=True)))
    assert found.window == expected.window
    assert found.value == pytest.approx(expected.value, abs=1e-12)


@given(sweeps, st.floats(-3, 3), st.floats(-3, 3))
def test_area_is_linear_in_the_values_and_within_their_range(points, slope, shift) -> None:
    l0, values, _ = map(np.array, zip(*points, strict=True))
    area, moved = frontier_area(l0, values), frontier_area(l0, slope * values + shift)
    if area.value is None:
        assert moved.reason == area.reason
        return
    assert values.min() - 1e-9 <= area.value <= values.max() + 1e-9
    assert moved.value == pytest.approx(slope * area.value + shift, abs=1e-9)
    window = area.window
    assert area.value == pytest.approx(
        naive(np.sort(l0), values[np.argsort(l0)], window.low, window.high, 20_001), abs=2e-3
    )


def test_two_frontiers_are_measured_over_one_window_or_refused() -> None:
    one, other = (SWEEP, np.log(SWEEP)), (np.array([30.0, 60.0, 130.0]), np.ones(3))
    window = Window(30.0, 130.0)
    first, second = areas_in([one, other], window)
    assert first == pytest.approx(math.log(math.sqrt(30 * 130)))
    assert second == pytest.approx(1.0)
    with pytest.raises(DataError):
        areas_in([one, other], Window(20.0, 200.0))


def test_the_common_window_is_that_of_most_families() -> None:
    windows = [Window(20, 200), Window(25, 160), Window(100, 200), Window(20, 45)]
    window, members = common_window(windows)
    assert (window, members) == (Window(25, 160), [True, True, False, False])
    assert common_window([Window(20, 30), Window(40, 70)]) is None
    assert common_window([]) is None


def value(number, half=None, **more):
    ends = {} if half is None else {"ci_low": number - half, "ci_high": number + half, "ci_source": "contexts", "n": 40}
    return MetricValue(value=number, higher_is_better=True, floor=0.0, ceiling=1.0, **ends, **more)


def family(shift=0.0, half=0.01, seeds=(0,), wobble=0.0, l0=(25.0, 65.0, 160.0)):
    return [
        Point(f"k={x:g}", seed, x, value(0.5 + 0.1 * math.log(x) + shift + wobble * seed, half))
        for x in l0
        for seed in seeds
    ]


def test_the_interval_of_one_seed_is_that_of_all_errors_together() -> None:
    found = family_area(family())
    assert found.metric.value == pytest.approx(0.5 + 0.1 * math.log(math.sqrt(25 * 160)))
    assert found.metric.ci_high - found.metric.value == pytest.approx(0.01)
    assert found.metric.ci_source == f"contexts, {TOGETHER}"
    assert (found.metric.n, found.metric.floor, found.metric.ceiling, found.sparsities) == (40, 0.0, 1.0, 3)


def test_the_interval_of_several_seeds_is_students_over_their_areas() -> None:
    found = family_area(family(seeds=(0, 1, 2), wobble=0.02))
    middle = 0.5 + 0.1 * math.log(math.sqrt(25 * 160)) + 0.02
    assert found.metric.value == pytest.approx(middle)
    # Areas are middle ± 0.02: standard deviation 0.02, Student's t with two degrees of freedom.
    assert found.metric.ci_high - middle == pytest.approx(4.302653 * 0.02 / math.sqrt(3), rel=1e-6)
    assert (found.metric.ci_source, found.metric.n) == ("seeds", 3)


def test_seeds_that_slide_along_one_frontier_do_not_widen_the_interval() -> None:
    points = [
        Point(recipe, seed, x * 1.05**seed, value(math.log(x * 1.05**seed)))
        for recipe, x in (("a", 15.0), ("b", 65.0), ("c", 240.0))
        for seed in range(3)
    ]
    found = family_area(points).metric
    assert found.ci_high - found.ci_low < 1e-9


def test_seeds_that_are_not_whole_give_a_mean_without_an_interval() -> None:
    found = family_area(family(seeds=(0, 1), wobble=0.02)[:-1])
    assert found.metric.value is not None
    assert found.metric.ci_low is None
    assert "same seeds" in found.metric.ci_reason


def test_a_family_with_a_gap_has_no_area() -> None:
    points = family()
    gap = MetricValue(value=None, reason="it failed")
    found = family_area([*points[:-1], Point("k=160", 0, 160.0, gap)])
    assert (found.metric.value, found.metric.reason) == (None, "k=160: it failed")
    mixed = [*points[:-1], Point("k=160", 0, 160.0, value(0.9, version=2))]
    assert "versions [1, 2]" in family_area(mixed).metric.reason


def test_dictionaries_without_intervals_give_an_area_without_one() -> None:
    found = family_area(family(half=None)).metric
    assert (found.ci_low, found.ci_reason) == (None, "not all its dictionaries have an interval of the same kind")


def test_families_are_compared_over_the_window_that_both_cover() -> None:
    first, second = family(0.05), family(l0=(40.0, 80.0, 320.0))
    found = compare_families(first, second)
    assert found.window == Window(pytest.approx(40.0), pytest.approx(160.0))
    assert found.metric.value == pytest.approx(0.05)
    assert found.metric.ci_high - 0.05 == pytest.approx(0.01 * math.sqrt(2))
    back = compare_families(second, first)
    assert back.metric.value == pytest.approx(-0.05)


def test_families_that_share_no_octave_are_not_compared() -> None:
    found = compare_families(family(l0=(20.0, 30.0, 50.0)), family(l0=(40.0, 80.0, 160.0)))
    assert found.metric.value is None
    assert "less than an octave" in found.metric.reason
    assert compare_families(family()[:2], family()).metric.reason == "2 sparsities, a frontier needs 3"
