from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mibench.metrics import areas
from mibench.metrics.areas import FRACTIONS, strict_curve, trapezoid
from mibench.metrics.curve_scores import average_absolute, cmd, cpr
from mibench.metrics.faithfulness import FaithfulnessCurve

GOLDEN = Path(__file__).parents[2] / "golden"
GRID = np.array(FRACTIONS)
SEGMENT = np.array([0.2, 0.5])

STRICT = {name: getattr(areas, name) for name in ("area", "area_bounded", "overshoot", "distance", "area_log")}
HEIGHTS = {
    "area": lambda f: f,
    "area_bounded": lambda f: np.clip(f, 0, 1),
    "overshoot": lambda f: np.maximum(f - 1, 0),
    "distance": lambda f: np.abs(1 - f),
}


def curve(f, sizes=GRID):
    return FaithfulnessCurve(GRID, np.asarray(sizes), np.asarray(f, dtype=np.float64))


def strict(name, f, sizes=GRID):
    return STRICT[name](*strict_curve(np.asarray(sizes), np.asarray(f, dtype=np.float64)))


def golden_curves():
    for folder in ("tiny_gpt2", "tiny_llama", "tiny_gemma2"):
        stored = json.loads((GOLDEN / folder / "outputs.json").read_text())
        yield from ((f"{folder} {key}", stored["percentages"], value) for key, value in stored["curves"].items())


def test_a_dead_curve_scores_what_the_random_row_of_mib_shows():
    dead = curve([0.0] * 9 + [1.0])
    assert cpr(dead) == pytest.approx(0.25, abs=1e-15)
    assert cmd(dead) == pytest.approx(0.749, abs=1e-15)
    assert average_absolute(dead) == pytest.approx(0.1)


def test_a_perfect_curve_scores_the_whole_range_that_mib_integrates():
    perfect = curve([1.0] * 10)
    assert cpr(perfect) == pytest.approx(0.999, abs=1e-15)
    assert cmd(perfect) == 0.0


def test_a_perfect_curve_loses_only_the_triangle_before_the_first_size_in_the_strict_scores():
    f = [1.0] * 10
    assert strict("area", f) == pytest.approx(0.9995, abs=1e-15)
    assert strict("distance", f) == pytest.approx(0.0005, abs=1e-15)
    assert strict("overshoot", f) == 0.0
    assert strict("area_log", f) == pytest.approx(1.0, abs=1e-14)


def test_the_floors_that_the_strict_metrics_declare_are_those_of_a_dead_curve():
    f = [0.0] * 9 + [1.0]
    assert strict("area", f) == strict("area_bounded", f) == pytest.approx(0.25, abs=1e-15)
    assert strict("distance", f) == pytest.approx(0.75, abs=1e-15)
    assert strict("area_log", f) == pytest.approx(0.0444, abs=5e-5)


def test_a_crossing_of_one_is_exact_in_the_distance_and_counted_twice_over_by_the_trapezoid():
    f = np.array([2.0, 0.0])
    assert areas.distance(SEGMENT, f) == pytest.approx(0.15, abs=1e-15)
    assert trapezoid(SEGMENT, np.abs(1 - f)) == pytest.approx(0.30, abs=1e-15)


def test_log_area_of_straight_lines_is_the_closed_form():
    x = np.array([0.0, 1.0])
    assert areas.area_log(x, np.array([0.0, 1.0])) == pytest.approx(0.999 / np.log(1000), rel=1e-14)
    assert areas.area_log(x, np.array([1.0, 1.0])) == pytest.approx(1.0, rel=1e-14)


def test_log_area_survives_circuits_that_differ_by_rounding():
    knots = np.array([0.0, 0.3, np.nextafter(0.3, 1), 1.0])
    assert areas.area_log(knots, np.ones(4)) == pytest.approx(1.0, rel=1e-12)


def test_log_area_interpolates_where_a_circuit_lies_on_either_side_of_its_start():
    x, f = np.array([0.0, 0.0005, 0.002, 1.0]), np.array([0.0, 0.3, 0.9, 1.0])
    u = np.linspace(-3, 0, 600_001)
    assert areas.area_log(x, f) == pytest.approx(np.trapezoid(np.interp(10**u, x, f), u) / 3, abs=1e-9)


def test_of_circuits_of_the_same_size_the_largest_requested_counts():
    x, f = strict_curve(np.array([0.1, 0.4, 0.4, 1.0]), np.array([0.2, 0.5, 0.7, 1.0]))
    assert x.tolist() == [0.0, 0.1, 0.4, 1.0]
    assert f.tolist() == [0.0, 0.2, 0.7, 1.0]


def test_circuits_that_prune_to_nothing_are_the_point_at_the_origin():
    x, f = strict_curve(np.array([0.0, 0.0, 1.0]), np.array([0.01, -0.01, 1.0]))
    assert x.tolist() == [0.0, 1.0]
    assert f.tolist() == [0.0, 1.0]


def test_the_full_model_ends_a_curve_that_stops_short_and_sizes_need_not_be_nested():
    x, f = strict_curve(np.array([0.3, 0.2]), np.array([[0.5, 0.1], [0.6, 0.2]]))
    assert x.tolist() == [0.0, 0.2, 0.3, 1.0]
    assert f.tolist() == [[0.0, 0.1, 0.5, 1.0], [0.0, 0.2, 0.6, 1.0]]


@pytest.mark.parametrize(("name", "percentages", "stored"), [pytest.param(*g, id=g[0]) for g in golden_curves()])
def test_areas_of_stored_curves_are_those_of_the_reference(name, percentages, stored):
    assert percentages == list(FRACTIONS)
    mib = curve(stored["faithfulnesses"])
    assert cpr(mib) == pytest.approx(stored["area_under"], rel=1e-12, abs=1e-12)
    assert cmd(mib) == pytest.approx(stored["area_from_1"], rel=1e-12, abs=1e-12)
    assert average_absolute(mib) == pytest.approx(stored["average"], rel=1e-12, abs=1e-12)


def dense_integral(height, x, f, points=20_001):
    """Sum of trapezoids of height(f) over a dense grid in every segment."""
    total = 0.0
    for (x0, x1), (f0, f1) in zip(pairwise(x), pairwise(f), strict=True):
        total += np.trapezoid(height(np.linspace(f0, f1, points)), np.linspace(x0, x1, points))
    return total


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", sorted(HEIGHTS))
def test_exact_areas_agree_with_dense_numerical_integration(name, seed):
    rng = np.random.default_rng(seed)
    x = np.concatenate([[0.0], np.sort(rng.uniform(size=8)), [1.0]])
    f = np.concatenate([[0.0], rng.normal(0.8, 1.2, size=8), [1.0]])
    assert STRICT[name](x, f) == pytest.approx(dense_integral(HEIGHTS[name], x, f), abs=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_log_area_agrees_with_dense_numerical_integration(seed):
    rng = np.random.default_rng(seed)
    x = np.concatenate([[0.0], np.sort(10 ** rng.uniform(-3.5, 0, size=8)), [1.0]])
    f = np.concatenate([[0.0], rng.normal(0.8, 1.2, size=8), [1.0]])
    u = np.linspace(-3, 0, 600_001)
    assert areas.area_log(x, f) == pytest.approx(np.trapezoid(np.interp(10**u, x, f), u) / 3, abs=1e-7)


faithfulnesses = arrays(np.float64, 10, elements=st.floats(-20, 20, allow_subnormal=False))
sizes = arrays(np.float64, 10, elements=st.floats(0, 1, allow_subnormal=False)).map(np.sort)


@given(f=faithfulnesses, x=sizes)
def test_strict_areas_obey_their_identities(f, x):
    values = {name: float(strict(name, f, x)) for name in STRICT}
    tolerance = 1e-12 * (1 + np.abs(f).max())
    assert -tolerance <= values["area_bounded"] <= 1 + tolerance
    assert values["overshoot"] >= 0
    assert values["distance"] >= abs(1 - values["area"]) - tolerance
    assert values["distance"] == pytest.approx(1 - values["area"] + 2 * values["overshoot"], abs=10 * tolerance)
    assert values["area_bounded"] + values["overshoot"] >= values["area"] - tolerance
    low, high = min(0, f.min()), max(1, f.max())
    assert low - tolerance <= values["area_log"] <= high + tolerance


@given(f=arrays(np.float64, (3, 10), elements=st.floats(-20, 20)), x=sizes)
def test_a_stack_of_curves_gives_what_each_gives_alone(f, x):
    for name in STRICT:
        alone = [strict(name, row, x) for row in f]
        np.testing.assert_allclose(strict(name, f, x), alone, rtol=1e-12, atol=1e-12)


@given(f=faithfulnesses)
def test_a_curve_without_overshoot_or_negative_parts_is_its_own_bounded_area(f):
    inside = np.clip(f, 0, 1)
    assert strict("area", inside) == pytest.approx(strict("area_bounded", inside), abs=1e-12)
    assert strict("overshoot", inside) == 0


@given(f=faithfulnesses)
def test_the_distance_of_mib_is_never_below_the_exact_one_on_its_own_range(f):
    exact = areas.positive_area(GRID, f - 1) + areas.positive_area(GRID, 1 - f)
    assert cmd(curve(f)) >= exact - 1e-12 * (1 + np.abs(f).max())
