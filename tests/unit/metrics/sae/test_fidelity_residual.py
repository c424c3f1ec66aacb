"""Scores of a family once fidelity is taken out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.fidelity_residual import fidelity_residual, fidelity_residuals, spearman

FEW = Resampling(seed=1, resamples=200)
NUMBERS = st.lists(st.integers(-5, 5).map(float), min_size=6, max_size=6)


def test_a_score_that_is_fidelity_leaves_nothing() -> None:
    fidelity = [0.5, 0.6, 0.8, 0.9, 0.95]
    found = fidelity_residuals([2 * one - 0.3 for one in fidelity], fidelity, [1, 2, 3, 4, 5], FEW)
    assert [one.value for one in found.residuals] == pytest.approx([0] * 5, abs=1e-12)
    assert found.with_fidelity.value == pytest.approx(1)
    assert found.with_log_l0.value == pytest.approx(1)
    assert found.with_fidelity.ci_source == "dictionaries"


def test_a_dictionary_better_than_its_fidelity_stands_out() -> None:
    fidelity = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    score = [0.5, 0.6, 0.9, 0.8, 0.9, 0.95]
    values = [one.value for one in fidelity_residuals(score, fidelity, [1.0] * 6, FEW).residuals]
    assert max(range(6), key=lambda place: values[place] or 0) == 2
    assert values[2] is not None
    assert values[2] > 0.1


@pytest.mark.parametrize(
    ("score", "fidelity", "why"),
    [
        ([0.1] * 4, [0.1, 0.2, 0.3, 0.4], "4 dictionaries are fewer than 5"),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.7] * 5, "the same fidelity"),
        ([0.1, 0.2, 0.3, 0.4, float("nan")], [0.1, 0.2, 0.3, 0.4, 0.5], "missing"),
    ],
)
def test_families_that_say_nothing_are_null(score: list[float], fidelity: list[float], why: str) -> None:
    found = fidelity_residuals(score, fidelity, [1.0] * len(score), FEW)
    assert len(found.residuals) == len(score)
    for one in (*found.residuals, found.with_fidelity, found.with_log_l0):
        assert one.value is None
        assert why in (one.reason or "")


def test_equal_l0_has_no_rank_correlation() -> None:
    found = fidelity_residuals([1, 2, 3, 4, 5.5], [1, 2, 3, 4, 5], [3.0] * 5, FEW)
    assert found.with_log_l0.value is None
    assert found.with_fidelity.value == pytest.approx(1)


@settings(max_examples=50, deadline=None)
@given(score=NUMBERS, other=NUMBERS)
def test_rank_correlation_is_scipy_s(score: list[float], other: list[float]) -> None:
    first, second = np.array(score), np.array(other)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        assert np.isnan(spearman(first, second))
    else:
        assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(score=NUMBERS, fidelity=NUMBERS.filter(lambda values: len(set(values)) > 1))
def test_residuals_are_those_of_least_squares(score: list[float], fidelity: list[float]) -> None:
    y, x = np.array(score), np.array(fidelity)
    design = np.column_stack([np.ones(len(x)), x])
    expected = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    assert fidelity_residual(y, x) == pytest.approx(expected, abs=1e-9)
