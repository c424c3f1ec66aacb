from __future__ import annotations

import numpy as np
import pytest
import torch
from planted_sites import HERE, WIDTH, PlantedRuns, angle, planted_activations, planted_view, rows_of

from mibench.engine.featurizers.edit import edit_of
from mibench.methods.subspaces.classes import classes_of
from mibench.methods.subspaces.samples import samples_of
from mibench.methods.variable.lda import lda, scatter_of
from mibench.methods.variable.mean_difference import mean_difference

N = 100
GENERATOR = np.random.default_rng(7)
MEANS = {name: GENERATOR.standard_normal(WIDTH) for name in "abc"}
MIX = GENERATOR.standard_normal((WIDTH, WIDTH)) @ np.diag(np.geomspace(3, 0.1, WIDTH))
"""The noise is far from round: its covariance is MIX MIXᵀ."""


def runs(names: str, noise: np.ndarray | None = MIX, n: int = N) -> PlantedRuns:
    values = [GENERATOR.choice(list(names), n).tolist() for _ in range(2)]
    base, source = planted_activations(values, MEANS, noise)
    return PlantedRuns(rows_of(*values), {HERE: base}, {HERE: source})


def tensors(found) -> tuple[np.ndarray, np.ndarray]:
    held = found[HERE].operations[0].tensors
    return held["weight"].astype(float), held["inverse"].astype(float)


def shrunk(gamma: float) -> np.ndarray:
    covariance = MIX @ MIX.T
    return (1 - gamma) * covariance + gamma * np.trace(covariance) / WIDTH * np.eye(WIDTH)


@pytest.mark.parametrize("gamma", [0.001, 0.1, 0.7])
def test_for_two_gaussians_it_reads_along_the_fisher_direction_and_writes_along_the_means(gamma):
    found = lda.function(planted_view(runs("ab")), shrinkage=gamma)
    found.validate()
    weight, inverse = tensors(found)
    gap = MEANS["a"] - MEANS["b"]
    assert angle(weight, np.linalg.solve(shrunk(gamma), gap)[:, None]) < 1e-6
    assert angle(inverse.T, gap[:, None]) < 1e-6
    assert inverse @ weight == pytest.approx(np.eye(1), abs=1e-5)


def test_for_three_values_the_planes_are_those_of_the_fisher_directions_and_of_the_means():
    weight, inverse = tensors(lda.function(planted_view(runs("abc"))))
    plane = np.stack([MEANS["a"] - MEANS["c"], MEANS["b"] - MEANS["c"]], axis=1)
    assert angle(weight, np.linalg.solve(shrunk(0.1), plane)) < 1e-6
    assert angle(inverse.T, plane) < 1e-6
    assert np.abs(inverse @ weight - np.eye(2)).max() < 1e-5


def test_full_shrinkage_is_mean_difference():
    planted = runs("abc")
    weight, _ = tensors(lda.function(planted_view(planted), shrinkage=1.0))
    plain = mean_difference.function(planted_view(planted))[HERE].operations[0].tensors["rotation"]
    assert angle(weight, plain.astype(float)) < 1e-6


def test_without_noise_it_is_mean_difference_too():
    planted = runs("abc", noise=None)
    weight, inverse = tensors(lda.function(planted_view(planted)))
    plain = mean_difference.function(planted_view(planted))[HERE].operations[0].tensors["rotation"]
    assert angle(weight, plain.astype(float)) < 1e-6
    assert np.abs(weight - inverse.T).max() < 1e-6


def test_a_swap_moves_the_mean_of_one_class_to_that_of_the_other():
    planted = runs("ab")
    one = lda.function(planted_view(planted))[HERE]
    edit = edit_of(one, device=planted.base[HERE].device, dtype=torch.float64)
    first, second = (torch.from_numpy(MEANS[name])[None, None] for name in "ab")
    assert (edit(first, second) - second).abs().max() < 1e-5


@pytest.mark.parametrize("n", [6, 40])
def test_powers_of_the_covariance_are_those_of_the_matrix_that_is_never_formed(n):
    (_, samples), *_ = samples_of(planted_view(runs("ab", MIX, 40)), (HERE,))
    classes = classes_of(type(samples)(samples.values[:n], samples.classes[:n], samples.noise))
    within = classes.within
    covariance = within.T @ within / len(within)
    full = 0.8 * covariance + 0.2 * np.trace(covariance) / WIDTH * np.eye(WIDTH)
    values, vectors = np.linalg.eigh(full)
    rows = GENERATOR.standard_normal((3, WIDTH))
    for exponent in (-0.5, 0.5):
        expected = rows @ (vectors * values**exponent) @ vectors.T
        assert np.abs(scatter_of(classes, 0.2).power(rows, exponent) - expected).max() < 1e-9
