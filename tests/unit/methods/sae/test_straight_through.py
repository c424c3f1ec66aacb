"""Pseudo-derivatives against those of the paper (arXiv 2407.14435, equations 11 and 12)."""

from __future__ import annotations

import pytest
import torch

from mibench.methods.dictionaries.straight_through import jump_relu, kernel, step

EPSILON = 0.2
Z = [-1.0, 0.35, 0.41, 0.5, 0.59, 0.61, 2.0]
THETA = 0.5


def backwards(function):
    z = torch.tensor(Z, dtype=torch.float64, requires_grad=True)
    theta = torch.full((len(Z),), THETA, dtype=torch.float64, requires_grad=True)
    out = function(z, theta, EPSILON)
    out.backward(torch.arange(1.0, len(Z) + 1, dtype=torch.float64))
    return out.detach(), z.grad, theta.grad


def naive(outer):
    """Sum of outer · −(factor / ε) K((z − θ) / ε), entry by entry."""
    return [-(place + 1) * outer / EPSILON * (abs((z - THETA) / EPSILON) < 0.5) for place, z in enumerate(Z)]


def test_jump_relu_keeps_what_is_above_its_threshold():
    out, by_z, by_theta = backwards(jump_relu)
    assert out.tolist() == [z if z > THETA else 0 for z in Z]
    assert by_z.tolist() == [place + 1 if z > THETA else 0 for place, z in enumerate(Z)]
    assert by_theta.tolist() == pytest.approx(naive(THETA))


def test_the_step_counts_and_moves_only_the_threshold():
    out, by_z, by_theta = backwards(step)
    assert out.tolist() == [float(z > THETA) for z in Z]
    assert by_z is None
    assert by_theta.tolist() == pytest.approx(naive(1.0))


def test_the_kernel_is_a_rectangle_of_area_1():
    grid = torch.linspace(-2, 2, 4001, dtype=torch.float64)
    assert float(kernel(grid).sum()) * 0.001 == pytest.approx(1, abs=2e-3)


def test_the_pseudo_derivative_of_the_expected_step_is_that_of_its_smoothed_mean():
    """E[H(z − θ)] over uniform z falls by 1 / range with θ; the estimator has to say so on average."""
    z = torch.linspace(-1, 1, 20001, dtype=torch.float64)
    theta = torch.zeros((), dtype=torch.float64).requires_grad_()
    step(z, theta.expand_as(z), EPSILON).mean().backward()
    assert theta.grad.item() == pytest.approx(-0.5, rel=1e-3)


def test_where_nothing_is_near_the_threshold_gradients_are_exact():
    z = torch.tensor([-1.0, 0.1, 1.5, 3.0], dtype=torch.float64, requires_grad=True)
    theta = torch.full((4,), THETA, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda one: jump_relu(one, theta, EPSILON), (z,))
