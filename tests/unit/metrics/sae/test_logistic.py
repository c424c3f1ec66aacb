"""Logistic regression: the optimum of the penalised loss, as scikit-learn finds it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.metrics.sae.logistic import Linear, fit_logistic, log_loss


def problem(seed: int, rows: int = 40, width: int = 3, shift: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 2 == 0
    return rng.normal(size=(rows, width)) + shift * labels[:, None], labels


def objective(x: np.ndarray, labels: np.ndarray, strength: float, one: Linear) -> float:
    signs = np.where(labels, 1, -1)
    loss = sum(np.log1p(np.exp(-sign * (row @ one.weights + one.bias))) for sign, row in zip(signs, x, strict=True))
    return float(0.5 * one.weights @ one.weights + strength * loss)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-4, 0.01, 1.0, 10.0]), st.floats(0, 30))
def test_no_small_step_in_any_direction_lowers_the_loss(seed: int, strength: float, shift: float) -> None:
    x, labels = problem(seed, shift=shift)
    found = fit_logistic(x, labels, strength)
    lowest = objective(x, labels, strength, found)
    for axis in range(4):
        for step in (-1e-3, 1e-3):
            weights, bias = found.weights.copy(), found.bias
            if axis < 3:
                weights[axis] += step
            else:
                bias += step
            assert objective(x, labels, strength, Linear(weights, bias)) >= lowest - 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("strength", [0.001, 1.0, 10.0])
@pytest.mark.parametrize("width", [1, 5, 60])
def test_it_finds_what_scikit_learn_finds(strength: float, width: int) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, labels = problem(3, rows=50, width=width, shift=0.4)
    theirs = linear_model.LogisticRegression(C=strength, tol=1e-10, max_iter=5000).fit(x, labels)
    ours = fit_logistic(x, labels, strength)
    assert np.allclose(ours.weights, theirs.coef_[0], atol=1e-5)
    assert ours.bias == pytest.approx(theirs.intercept_[0], abs=1e-5)


def test_separable_rows_and_huge_features_give_finite_weights() -> None:
    x, labels = problem(1, shift=0.0)
    for scaled in (1e6 * np.where(labels, 1.0, -1.0)[:, None] + x, np.zeros_like(x)):
        found = fit_logistic(scaled, labels, 10.0)
        assert np.isfinite(found.weights).all()
        assert np.isfinite(found.bias)


def test_without_information_the_probe_says_the_share_of_positives() -> None:
    labels = np.arange(40) < 10
    found = fit_logistic(np.zeros((40, 2)), labels, 1.0)
    assert found.bias == pytest.approx(np.log(10 / 30))
    assert not found.weights.any()


def test_rows_of_one_label_are_refused() -> None:
    with pytest.raises(ValueError, match="both labels"):
        fit_logistic(np.zeros((4, 2)), np.ones(4, dtype=bool), 1.0)


def test_the_log_loss_of_even_odds_is_log_two() -> None:
    assert log_loss(np.zeros(6), np.arange(6) < 3) == pytest.approx(np.log(2))
    assert log_loss(np.array([1000.0, -1000.0]), np.array([False, True])) == pytest.approx(1000.0)
