from __future__ import annotations

import numpy as np
import pytest

from mibench.tasks.synthetic.directions import _slope, directions, unit_rows
from mibench.tasks.synthetic.recipe import Spreading


def drawn(count, width, spreading, seed=0):
    return directions(count, width, spreading, np.random.default_rng(seed))


def overlap(rows):
    gram = rows @ rows.T
    return float((gram**2).sum() - (np.diag(gram) ** 2).sum())


def test_rows_have_norm_1_and_the_seed_fixes_them():
    first = drawn(50, 8, Spreading())
    assert np.linalg.norm(first, axis=1) == pytest.approx(np.ones(50))
    assert (first == drawn(50, 8, Spreading())).all()
    assert (first != drawn(50, 8, Spreading(), seed=1)).any()


def test_steps_push_directions_apart():
    random, spread = drawn(60, 16, Spreading(steps=0)), drawn(60, 16, Spreading(steps=100, lr=3e-3))
    least = 60**2 / 16 - 60
    assert overlap(spread) - least < 0.5 * (overlap(random) - least)
    assert overlap(spread) >= least - 1e-6


def test_fewer_directions_than_entries_become_orthogonal():
    spread = drawn(6, 32, Spreading(steps=500, lr=3e-3))
    assert overlap(spread) < 1e-4


def test_the_gradient_agrees_with_finite_differences():
    rows = np.random.default_rng(0).standard_normal((5, 3))

    def loss(values):
        return overlap(values) + 5 * float((((values**2).sum(1) - 1) ** 2).sum())

    for place in ((0, 0), (3, 2), (4, 1)):
        step = np.zeros((5, 3))
        step[place] = 1e-6
        numeric = (loss(rows + step) - loss(rows - step)) / 2e-6
        assert _slope(rows.astype(np.float32))[place] == pytest.approx(numeric, rel=1e-4)


def test_a_row_of_zeros_stays_one():
    assert unit_rows(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist() == [[0, 0], [0.6, 0.8]]
