from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import subspace_angles

from mibench.core.errors import DataError
from mibench.metrics.truth.subspace import subspace_overlap

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)


def rows(rng, k, d=6):
    return rng.normal(size=(k, d))


@given(seed=seeds, k=sizes, true=sizes)
@settings(max_examples=40, deadline=None)
def test_it_is_the_mean_squared_cosine_of_the_angles_that_scipy_finds(seed, k, true):
    rng = np.random.default_rng(seed)
    a, b = rows(rng, k), rows(rng, true)
    expected = np.mean(np.cos(subspace_angles(a.T, b.T)) ** 2)
    found = subspace_overlap(a, b)
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.floor == max(k, true) / 6
    assert subspace_overlap(b, a).value == pytest.approx(found.value, abs=1e-12)


@given(seed=seeds, k=sizes)
@settings(max_examples=20, deadline=None)
def test_the_basis_does_not_matter(seed, k):
    rng = np.random.default_rng(seed)
    a, b = rows(rng, k), rows(rng, 2)
    mixed = (rng.normal(size=(k, k)) + 4 * np.eye(k)) @ a
    assert subspace_overlap(np.concatenate([mixed, mixed[:1]]), b).value == pytest.approx(
        subspace_overlap(a, b).value, abs=1e-9
    )


def test_known_angles():
    east, north = np.eye(4)[:1], np.eye(4)[1:2]
    assert subspace_overlap(east, 5 * east).value == 1.0
    assert subspace_overlap(east, north).value == 0.0
    assert subspace_overlap(east, east + north).value == pytest.approx(0.5)
    assert subspace_overlap(east, np.eye(4)[:3]).value == 1.0
    assert subspace_overlap(np.eye(4)[:2], np.eye(4)[1:3]).value == pytest.approx(0.5)


@pytest.mark.parametrize(("k", "true"), [(1, 1), (1, 3), (4, 2), (6, 2)])
def test_random_subspaces_reach_the_floor(k, true):
    rng = np.random.default_rng(0)
    found = [subspace_overlap(rows(rng, k), rows(rng, true)) for _ in range(1500)]
    assert np.mean([one.value for one in found]) == pytest.approx(found[0].floor, abs=0.02)


def test_nothing_has_no_overlap():
    for empty in (np.zeros((0, 4)), np.zeros((2, 4))):
        found = subspace_overlap(empty, np.eye(4))
        assert (found.value, found.reason) == (None, "a subspace has no direction")


@pytest.mark.parametrize("other", [np.eye(5), np.full((1, 4), np.nan), np.ones(4), np.zeros((2, 0))])
def test_bases_that_do_not_fit_are_refused(other):
    with pytest.raises(DataError):
        subspace_overlap(np.eye(4), other)
