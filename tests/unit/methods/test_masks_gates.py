"""Distributions and gradients of gates, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mibench.graph.graph import Graph
from mibench.methods.masks.hard_concrete import BETA, GAMMA, ZETA, HardConcreteGates, chance_open, hard_concrete
from mibench.methods.masks.pruning import rank_offsets
from mibench.methods.masks.top_k import TopKGates, soft_top_k
from mibench.methods.masks.uniform_gates import head_load, uniform_gates

MANY = 100_000


def _noise(seed: int = 0, count: int = MANY) -> torch.Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


@pytest.mark.parametrize("log_alpha", [-3.0, -0.7, 0.0, 1.3, 4.0])
def test_hard_concrete_gates_have_the_closed_forms_distribution(log_alpha: float) -> None:
    gates = hard_concrete(torch.full((MANY,), log_alpha, dtype=torch.float64), _noise()).numpy()
    assert gates.min() >= 0
    assert gates.max() <= 1
    for z in (0.0, 0.2, 0.5, 0.9, 0.999999):
        # P(gate > z), solved for the noise by hand.
        s = (z - GAMMA) / (ZETA - GAMMA)
        expected = 1 / (1 + math.exp(BETA * _logit(s) - log_alpha))
        assert (gates > z).mean() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / MANY))
    assert chance_open(torch.tensor(log_alpha)).item() == pytest.approx((gates > 0).mean(), abs=0.007)


def test_expected_l0_is_the_formula_of_louizos_and_others() -> None:
    value = chance_open(torch.tensor(0.5, dtype=torch.float64)).item()
    assert value == pytest.approx(1 / (1 + math.exp(-(0.5 - 2 / 3 * math.log(0.1 / 1.1)))), abs=1e-12)


def test_the_lagrangian_is_its_formula_and_rises_to_the_target() -> None:
    alpha = torch.tensor([2.0, -1.0, 0.3], dtype=torch.float64, requires_grad=True)
    gates = HardConcreteGates(alpha, 0.9, 10, 0.1, torch.Generator().manual_seed(0))
    assert gates.penalty(0).item() == 0
    sparsity = 1 - chance_open(alpha.detach()).mean().item()
    with torch.no_grad():
        gates.groups()[1]["params"][0].copy_(torch.tensor([1.5, 4.0]))
    for step, asked in ((0, 0.9 / 8), (3, 0.45), (7, 0.9), (9, 0.9)):
        gap = asked - sparsity
        assert gates.penalty(step).item() == pytest.approx(1.5 * gap + 4 * gap**2, abs=1e-12)


def test_the_multipliers_grow_and_close_gates_while_too_many_are_open() -> None:
    alpha = torch.full((50,), 2.0, dtype=torch.float64, requires_grad=True)
    gates = HardConcreteGates(alpha, 0.9, 10, 0.1, torch.Generator().manual_seed(0))
    optimiser = torch.optim.Adam(gates.groups())
    for step in range(5):
        optimiser.zero_grad()
        gates.penalty(step + 5).backward()
        optimiser.step()
    assert gates.groups()[1]["params"][0].min() > 1
    assert alpha.max() < 2 - 0.2


@pytest.mark.parametrize("theta", [-2.5, -0.4, 0.0, 1.0, 3.0])
def test_uniform_gates_are_zero_one_or_uniform_with_the_right_chances(theta: float) -> None:
    gates = uniform_gates(torch.full((MANY,), theta, dtype=torch.float64), _noise()).numpy()
    p = 1 / (1 + math.exp(-theta))
    w = p * (1 - p)
    assert (gates == 1).mean() == pytest.approx(p - w / 2, abs=0.006)
    assert (gates == 0).mean() == pytest.approx(1 - p - w / 2, abs=0.006)
    between = gates[(gates > 0) & (gates < 1)]
    assert stats.kstest(between, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("theta", [-1.5, 0.0, 1.0])
def test_uniform_gates_give_unbiased_gradients_of_the_discrete_objective(theta: float) -> None:
    value = torch.tensor(theta, dtype=torch.float64, requires_grad=True)
    gates = uniform_gates(value.expand(MANY), _noise(3))
    (3 * gates**3 - gates.exp()).mean().backward()
    p = 1 / (1 + math.exp(-theta))
    expected = p * (1 - p) * ((3 - math.e) - (0 - 1))
    assert value.grad is not None
    assert value.grad.item() == pytest.approx(expected, rel=0.05)


def test_gates_with_certain_probabilities_are_certain() -> None:
    theta = torch.tensor([-800.0, 800.0], dtype=torch.float64)
    assert uniform_gates(theta, torch.tensor([0.5, 0.5], dtype=torch.float64)).tolist() == [0, 1]


@pytest.mark.parametrize("parallel", [False, True])
def test_the_load_of_a_head_counts_its_edges(parallel: bool) -> None:
    graph = Graph(3, 2, parallel)
    found = head_load(graph, torch.from_numpy(graph.real_mask.astype(float)))
    names = [name.split("->") for name in graph.edge_names()]
    heads = [f"a{layer}.h{head}" for layer in range(3) for head in range(2)]
    assert found.tolist() == [sum(head in (a, b.split("<")[0]) for a, b in names) for head in heads]


@pytest.mark.parametrize("heads", [1, 3])
def test_the_load_of_heads_and_its_gradient_are_those_of_adding_edge_by_edge(heads: int) -> None:
    graph = Graph(3, heads)
    draws = torch.rand(graph.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    chances = (draws * torch.tensor(graph.real_mask)).requires_grad_()
    load = head_load(graph, chances)
    weights = torch.arange(1.0, len(load) + 1, dtype=torch.float64)
    (found,) = torch.autograd.grad((load * weights).sum(), chances)
    expected, gradient = torch.zeros(graph.n_sources, dtype=torch.float64), torch.zeros(graph.shape)
    rows = [graph.head_row(layer, head) for layer in range(3) for head in range(heads)]
    for row, weight in zip(rows, weights.tolist(), strict=True):
        into = np.flatnonzero(graph.destination_node == row)
        expected[row] = chances.detach()[row].sum() + chances.detach()[:, into].sum()
        gradient[row] += weight
        gradient[:, into] += weight
    assert load.tolist() == pytest.approx(expected[rows].tolist(), abs=1e-12)
    assert torch.equal(found, gradient.double())


@settings(deadline=None, max_examples=50)
@given(
    scores=st.lists(st.floats(-20, 20), min_size=2, max_size=40),
    share=st.floats(0.01, 0.99),
    temperature=st.floats(0.05, 5),
)
def test_soft_top_k_sums_to_its_budget_and_keeps_the_order(
    scores: list[float], share: float, temperature: float
) -> None:
    values = torch.tensor(scores, dtype=torch.float64)
    mask = soft_top_k(values, share * len(scores), temperature)
    assert mask.sum().item() == pytest.approx(share * len(scores), rel=1e-6)
    order = np.argsort(scores, kind="stable")
    assert np.diff(mask.numpy()[order]).min() > -1e-12


def test_soft_top_k_nears_the_hard_one() -> None:
    values = torch.tensor([3.0, -1.0, 2.0, 0.5, 1.0], dtype=torch.float64)
    assert soft_top_k(values, 2, 0.01).round(decimals=6).tolist() == [1, 0, 1, 0, 0]


def test_gradients_of_soft_top_k_match_finite_differences_through_the_threshold() -> None:
    values = torch.tensor([1.0, -0.3, 0.4, 2.0], dtype=torch.float64, requires_grad=True)
    for budget in (0.5, 2.0, 3.3):
        assert torch.autograd.gradcheck(lambda at, budget=budget: soft_top_k(at, budget, 0.7), values)
        jacobian = torch.autograd.functional.jacobian(lambda at, b=budget: soft_top_k(at, b, 0.7).sum(), values)
        assert jacobian.abs().max() < 1e-9


def test_budgets_are_log_uniform_over_all_sizes() -> None:
    gates = TopKGates(torch.zeros(1000, dtype=torch.float64), 0.1, 1.0, torch.Generator().manual_seed(1))
    sizes = np.array([gates.draw(5).sum().item() for _ in range(300)])
    assert sizes.min() > 0.99
    assert stats.kstest(np.log(sizes) / np.log(1000), "uniform").pvalue > 1e-3


def test_rank_offsets_are_even() -> None:
    found = rank_offsets(torch.tensor([5.0, -1.0, 0.0, 100.0, 2.0], dtype=torch.float64))
    assert found.tolist() == [0.5, -1.0, -0.5, 1.0, 0.0]
