from __future__ import annotations

import numpy as np
import pytest

from mibench.metrics.faithfulness import denominator, faithfulness


def test_faithfulness_is_a_ratio_of_means_not_a_mean_of_ratios():
    full, empty, circuit = np.array([4.0, 1.0]), np.array([0.0, 0.0]), np.array([2.0, 1.0])
    value = faithfulness(circuit.mean(keepdims=True), full.mean(), empty.mean())
    assert value == pytest.approx([3 / 5])
    assert (circuit / full).mean() == 0.75


def test_the_empty_circuit_is_zero_and_the_full_model_one():
    assert faithfulness(np.array([-2.0, 3.0]), np.array(3.0), np.array(-2.0)).tolist() == [0.0, 1.0]


def test_replicates_keep_their_own_endpoints():
    circuit = np.array([[1.0, 2.0], [1.0, 2.0]])
    values = faithfulness(circuit, full=np.array([2.0, 4.0]), empty=np.array([0.0, 0.0]))
    assert values.tolist() == [[0.5, 1.0], [0.25, 0.5]]


@pytest.mark.parametrize(
    ("full", "empty"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([1.0, -1.0], [-1.0, 1.0]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([1000.0, 1000.0], [1000.0001, 1000.0]),
    ],
)
def test_a_denominator_that_is_rounding_noise_is_a_problem(full, empty):
    assert "undefined" in (denominator(np.array(full), np.array(empty)).problem or "")


@pytest.mark.parametrize(("full", "empty"), [([1.0, 2.0], [0.0, 0.5]), ([1e-5, 2e-5], [0.0, 0.0]), ([-3.0], [2.0])])
def test_small_or_negative_denominators_are_fine_when_their_terms_are_alike(full, empty):
    assert denominator(np.array(full), np.array(empty)).problem is None


def test_replicates_whose_denominator_changes_sign_are_unusable():
    base = denominator(np.array([-2.0, -1.0]), np.array([0.0, 0.0]))
    assert base.usable(np.array([-1.0, 0.5, 0.0])).tolist() == [True, False, False]
