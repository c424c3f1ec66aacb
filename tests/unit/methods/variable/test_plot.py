from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_sites import HERE, NOWHERE, THERE, WIDTH, PlantedRuns, angle, planted_view, row, rows_of

from mibench.core.errors import MethodError
from mibench.methods.subspaces.effects import effects_of
from mibench.methods.subspaces.parts import bounds_of, parts_of
from mibench.methods.subspaces.transport import sinkhorn
from mibench.methods.variable.plot import plot

N = 40
GENERATOR = np.random.default_rng(13)
READER = torch.zeros(WIDTH, dtype=torch.float64)
READER[5] = 4.0


def runs(size: float = 3.0) -> PlantedRuns:
    """The answer is read at THERE, off entry 5, which holds ±1; entry 0 varies more and is not read."""
    values = [GENERATOR.choice(["a", "b"], N).tolist() for _ in range(2)]
    held = [
        {site: torch.from_numpy(0.1 * GENERATOR.standard_normal((N, 1, WIDTH))) for site in (HERE, THERE, NOWHERE)}
        for _ in range(2)
    ]
    for part, names in zip(held, values, strict=True):
        signs = torch.tensor([1.0 if name == "a" else -1.0 for name in names], dtype=torch.float64)
        part[THERE][:, 0, 5] = signs
        part[THERE][:, 0, 0] *= 10 * size
        part[HERE][:, 0, 5] = signs
    return PlantedRuns(rows_of(*values), *held, THERE, READER)


@pytest.fixture(scope="module")
def planted() -> PlantedRuns:
    return runs()


def test_it_ranks_the_site_first_that_the_answer_is_read_from(planted):
    found = plot.function(planted_view(planted), sites=1, parts=0)
    found.validate()
    assert [one.site for one in found.sites] == [THERE]
    (first, mass), *others = found.meta["mass"]
    assert first == THERE.name
    assert mass > 2 * max(other for _, other in others)


def test_it_hands_in_the_span_that_does_what_the_whole_site_does(planted):
    one = plot.function(planted_view(planted), sites=1, parts=WIDTH)[THERE]
    columns = one.operations[0].tensors["rotation"].astype(float)
    assert one.operations[0].kind == "orthogonal"
    assert columns.shape[1] == 1
    assert angle(columns, READER.numpy()[:, None]) < 0.2


def test_as_many_groups_are_handed_in_as_are_asked_for(planted):
    assert len(plot.function(planted_view(planted), sites=2).sites) == 2
    assert len(plot.function(planted_view(planted), sites=9).sites) == 3


def test_the_same_rows_give_the_same_bytes(planted):
    assert plot.function(planted_view(planted)).digest == plot.function(planted_view(planted)).digest


def test_every_site_of_a_joint_group_is_handed_in_since_it_would_not_be_scored_otherwise(planted):
    view = planted_view(planted, groups=((HERE, THERE), (NOWHERE,)))
    found = plot.function(view, sites=1, parts=6)
    found.validate()
    assert [one.site for one in found.sites] == [HERE, THERE]


def test_if_nothing_is_to_change_there_is_nothing_to_look_for():
    names = ["a", "b"] * (N // 2)
    held = {site: torch.zeros(N, 1, WIDTH, dtype=torch.float64) for site in (HERE, THERE)}
    with pytest.raises(MethodError, match="There is no effect to look for"):
        plot.function(planted_view(PlantedRuns(rows_of(names, names), held, held, THERE, READER)))


def test_effects_are_one_where_the_label_is_to_be_given_and_equal_ones_are_not_told_twice(planted):
    causes = np.array([one.cause for one in planted.rows])
    known = effects_of(planted_view(planted))
    assert np.array_equal(known.variable, np.ones(N))
    (nothing,) = known.references
    assert np.array_equal(nothing, 1.0 - causes)
    assert known.unit == pytest.approx(causes.mean())
    assert known.cost(known.variable[None]).ravel() == pytest.approx([0, 1])


def test_handing_over_everything_is_an_effect_of_its_own_where_the_label_is_not_the_sources():
    rows = tuple(row(n, "a", "b", accepted=((2,) if n % 2 else (3,),)) for n in range(4))
    held = {THERE: torch.zeros(4, 1, WIDTH, dtype=torch.float64)}
    known = effects_of(planted_view(PlantedRuns(rows, held, held, THERE, READER)))
    assert [one.tolist() for one in known.references] == [[0, 0, 0, 0], [0, 1, 0, 1]]


@pytest.mark.parametrize(
    ("rank", "number", "expected"), [(0, 4, ()), (1, 4, (1,)), (8, 4, (1, 2, 4, 8)), (3, 9, (1, 2, 3)), (9, 1, (9,))]
)
def test_spans_grow_and_end_at_the_rank(rank, number, expected):
    assert bounds_of(rank, number) == expected


def test_all_spans_together_hold_every_component_once(planted):
    parts = parts_of(planted_view(planted), (THERE,), 5)
    (operation,), select = parts.union(range(parts.number))[THERE]
    assert select == "all"
    assert operation.tensors["rotation"].shape == (WIDTH, WIDTH)
    widths = [parts.union([span])[THERE][0][0].tensors["rotation"].shape[1] for span in range(parts.number)]
    assert sum(widths) == WIDTH


def test_transport_of_two_by_two_is_the_known_one():
    # By symmetry P = [[p, q], [q, p]] / 2 with p / q = e^(1/ε), p + q = 1.
    found = sinkhorn(np.array([[0.0, 1.0], [1.0, 0.0]]), np.full(2, 0.5), np.full(2, 0.5), 0.5)
    p = 1 / (1 + np.exp(-2.0))
    assert np.abs(found - np.array([[p, 1 - p], [1 - p, p]]) / 2).max() < 1e-9


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 4), columns=st.integers(1, 30), epsilon=st.floats(0.05, 5))
def test_marginals_are_right_and_the_plan_has_the_form_of_the_optimum(seed, rows, columns, epsilon):
    generator = np.random.default_rng(seed)
    cost = generator.random((rows, columns))
    first, second = (generator.random(n) + 0.1 for n in (rows, columns))
    first, second = first / first.sum(), second / second.sum()
    plan = sinkhorn(cost, first, second, epsilon)
    assert np.abs(plan.sum(1) - first).max() <= 1e-9
    assert np.abs(plan.sum(0) - second).max() <= 1e-9
    # log P + cost / ε = f_i + g_j: what is left after removing rows and columns is nothing.
    potential = np.log(plan) + cost / epsilon
    rest = potential - potential.mean(0) - potential.mean(1, keepdims=True) + potential.mean()
    assert np.abs(rest).max() < 1e-9


@pytest.mark.parametrize(("balance", "expected"), [(1e-12, np.exp([0.0, -2.0, -4.0])), (1e12, np.ones(3))])
def test_with_much_balance_columns_have_their_mass_and_with_little_only_the_cost_counts(balance, expected):
    cost = np.array([[0.0, 1.0, 2.0]])
    plan = sinkhorn(cost, np.ones(1), np.full(3, 1 / 3), 0.5, balance)
    assert np.abs(plan[0] - expected / expected.sum()).max() < 1e-9


def test_a_finite_balance_reaches_the_stationary_point():
    # ∂/∂P of Σ P C + ε Σ P log P + balance · KL(columns of P | b): C + ε log P + balance · log(columns of P / b) = f_i.
    generator = np.random.default_rng(0)
    cost, b = generator.random((3, 7)), np.full(7, 1 / 7)
    plan = sinkhorn(cost, np.full(3, 1 / 3), b, 0.2, 0.3)
    potential = cost + 0.2 * np.log(plan) + 0.3 * np.log(plan.sum(0) / b)
    assert np.ptp(potential, axis=1).max() < 1e-8
    assert np.abs(plan.sum(1) - 1 / 3).max() < 1e-12


def test_costs_that_are_no_numbers_are_refused():
    with pytest.raises(MethodError, match="Effects cannot be compared"):
        sinkhorn(np.array([[0.0, np.nan]]), np.ones(1), np.full(2, 0.5), 0.1)


def test_a_linear_target_is_searched_by_its_contrasts():
    from mibench.tasks.interchange import LinearTarget

    planted = runs()
    rows = tuple(
        row(n, one.base_value, one.source_value, target=LinearTarget((1, 2), (1.0,), (1.0,)))
        for n, one in enumerate(planted.rows)
    )
    view = planted_view(PlantedRuns(rows, planted.base, planted.source, THERE, READER), coefficients=(0.0, 4.0))
    found = plot.function(view, sites=1, parts=0)
    assert [one.site for one in found.sites] == [THERE]
