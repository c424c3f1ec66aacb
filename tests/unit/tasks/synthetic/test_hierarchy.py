from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.tasks.synthetic.feature_forest import large_forest, small_forest
from mibench.tasks.synthetic.hierarchy import parents_of, possible_rates, wanted_rates
from mibench.tasks.synthetic.recipe import Firing, Forest

FORESTS = st.builds(Forest, st.integers(1, 4), st.integers(2, 4), st.integers(0, 3))


def test_a_forest_grows_generation_by_generation():
    forest = Forest(roots=2, branching=2, depth=2)
    assert forest.size == 14
    expected = [-1, -1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, -1, -1]
    assert parents_of(forest, 16).tolist() == expected
    assert (parents_of(None, 3) == -1).all()


def test_a_forest_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="trees of 14 features do not fit in 13"):
        parents_of(Forest(2, 2, 2), 13)


def test_rates_fall_from_the_highest_to_the_lowest_as_a_power_law():
    rates = wanted_rates(Firing(0.4, 5e-4), 1000)
    assert (rates[0], rates[-1]) == pytest.approx((0.4, 5e-4))
    assert (np.diff(rates) < 0).all()
    slopes = np.diff(rates)[:2]
    assert slopes[0] / slopes[1] == pytest.approx((1 - 2**-0.5) / (2**-0.5 - 3**-0.5))
    assert wanted_rates(Firing(0.1, 0.1, exponent=0.0), 3).tolist() == [0.1] * 3


@given(FORESTS, st.integers(0, 5), st.integers(0, 2**31))
def test_siblings_never_fire_more_often_than_their_parent_and_rates_are_kept_where_they_can_be(forest, free, seed):
    parents = parents_of(forest, forest.size + free)
    wanted = np.sort(np.random.default_rng(seed).uniform(1e-3, 0.5, len(parents)))[::-1]
    rates = possible_rates(wanted, parents)
    assert (rates <= wanted + 1e-12).all()
    assert (rates[parents == -1] == wanted[parents == -1]).all()
    for parent in set(parents.tolist()) - {-1}:
        children = parents == parent
        total = rates[children].sum()
        assert total <= rates[parent] * (1 + 1e-9)
        if wanted[children].sum() <= rates[parent]:
            assert (rates[children] == wanted[children]).all()
        else:
            assert total == pytest.approx(rates[parent])
            assert np.ptp(rates[children] / wanted[children]) < 1e-12


def test_as_many_features_fire_at_a_time_as_the_paper_says():
    recipe = large_forest()
    rates = possible_rates(wanted_rates(recipe.firing, 16384), parents_of(recipe.forest, 16384))
    assert recipe.forest.size == 10880
    assert rates.sum() == pytest.approx(34, abs=1)
    assert rates[:4096].sum() == pytest.approx(25, abs=1)


def test_the_small_law_is_sparse_enough_to_be_recoverable():
    recipe = small_forest()
    rates = possible_rates(wanted_rates(recipe.firing, 512), parents_of(recipe.forest, 512))
    assert rates.sum() == pytest.approx(5.79, abs=0.01)
    assert rates.min() > 5e-4
