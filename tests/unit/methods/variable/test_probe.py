from __future__ import annotations

import numpy as np
import pytest
import torch
from planted_sites import HERE, THERE, WIDTH, PlantedRuns, angle, planted_activations, planted_view, rows_of
from scipy.optimize import check_grad

from mibench.methods.subspaces.classes import Classes
from mibench.methods.variable.probe import _Problem, probe, regress

N = 60
GENERATOR = np.random.default_rng(11)
MEANS = {name: 4 * GENERATOR.standard_normal(WIDTH) for name in "abc"}


def runs(names: str, noise: float) -> PlantedRuns:
    values = [GENERATOR.choice(list(names), N).tolist() for _ in range(2)]
    base, source = planted_activations(values, MEANS, noise * np.eye(WIDTH))
    return PlantedRuns(rows_of(*values), {HERE: base}, {HERE: source})


def columns(found) -> np.ndarray:
    return found[HERE].operations[0].tensors["rotation"].astype(float)


def test_it_separates_what_is_separable_along_one_direction():
    found = probe.function(planted_view(runs("ab", 0.5)))
    found.validate()
    assert found.meta["accuracy"] == {HERE.name: 1.0}
    assert columns(found).shape == (WIDTH, 1)


def test_without_noise_its_span_is_that_of_the_means():
    found = probe.function(planted_view(runs("abc", 0.0)))
    plane = np.stack([MEANS["a"] - MEANS["c"], MEANS["b"] - MEANS["c"]], axis=1)
    assert columns(found).shape == (WIDTH, 2)
    assert angle(columns(found), plane) < 1e-5


def test_the_gradient_is_that_of_the_loss():
    coordinates = GENERATOR.standard_normal((30, 5))
    problem = _Problem(coordinates, np.eye(3)[GENERATOR.integers(0, 3, 30)], 0.3)
    start = GENERATOR.standard_normal(3 * 6)
    assert check_grad(lambda x: problem(x)[0], lambda x: problem(x)[1], start) < 1e-5


def test_in_one_dimension_it_is_the_root_of_the_stationarity_condition():
    # Samples at ±c, labels by sign: W = (−w, w) minimises log(1 + e^(−2wc)) + l2 w², so 2c / (1 + e^(2wc)) = 2 l2 w.
    values = np.zeros((4, WIDTH))
    values[:, 3] = [1, 1, -1, -1]
    classes = Classes(np.array(["a", "b"]), np.array([1, 1, 0, 0]), values, 1e-9)
    w = regress(classes, 0.1).weights[1, 3]
    # The mean variance of a coordinate is scaled to 1, and only one varies.
    c = np.sqrt(WIDTH)
    assert 2 * c / (1 + np.exp(2 * w * c)) == pytest.approx(2 * 0.1 * w, rel=1e-4)


def test_a_site_where_nothing_varies_is_left_out():
    planted = runs("ab", 0.5)
    blank = torch.ones_like(planted.base[HERE])
    both = PlantedRuns(planted.rows, {**planted.base, THERE: blank}, {**planted.source, THERE: blank})
    found = probe.function(planted_view(both))
    assert found.meta["left_out"] == {THERE.name: "its activations are the same on all prompts"}


def test_the_same_rows_give_the_same_bytes():
    planted = runs("abc", 30.0)
    first, second = (probe.function(planted_view(planted)) for _ in range(2))
    assert first.digest == second.digest
    assert first.meta["accuracy"][HERE.name] < 1
