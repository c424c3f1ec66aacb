from __future__ import annotations

import numpy as np
import pytest
import torch
from planted_sites import HERE, THERE, WIDTH, PlantedRuns, planted_view, rows_of

from mibench.core.errors import MethodError
from mibench.core.sites import Component, Site
from mibench.methods.variable.random_subspace import random_subspace

HEAD = Site(1, "last", Component.HEAD, 2)


def view(groups=((HERE,), (THERE,), (HEAD,)), **changes):
    blank = {HERE: torch.zeros(2, 1, WIDTH)}
    return planted_view(PlantedRuns(rows_of("ab", "ba"), blank, blank), groups=groups, **changes)


def frames(found) -> dict[Site, np.ndarray]:
    return {one.site: one.operations[0].tensors["rotation"] for one in found.sites}


@pytest.mark.parametrize("k", [1, 3, 4])
def test_frames_are_orthonormal_and_as_wide_as_asked(k):
    found = random_subspace.function(view(), k=k)
    found.validate()
    for site, frame in frames(found).items():
        assert frame.shape == (4 if site == HEAD else WIDTH, k)
        assert np.abs(frame.T @ frame - np.eye(k)).max() < 1e-6


def test_a_frame_depends_on_seed_and_site_alone():
    first = frames(random_subspace.function(view(seed=3)))
    other_way = frames(random_subspace.function(view(((HEAD, THERE), (HERE,)), seed=3)))
    assert all(first[site].tobytes() == other_way[site].tobytes() for site in first)
    reseeded = frames(random_subspace.function(view(seed=4)))
    assert not any(np.allclose(first[site], reseeded[site]) for site in first)
    assert not np.allclose(first[HERE], first[THERE])


def test_frames_are_uniform_their_first_entry_has_mean_zero_and_variance_one_over_the_width():
    drawn = [frames(random_subspace.function(view(((HERE,),), seed=seed), k=2))[HERE] for seed in range(400)]
    for column in (0, 1):
        entries = np.array([frame[0, column] for frame in drawn])
        assert abs(entries.mean()) < 4 * WIDTH**-0.5 / 20
        assert entries.var() == pytest.approx(1 / WIDTH, rel=0.3)


def test_by_default_it_is_as_large_as_the_task_says_and_at_most_as_the_site():
    found = random_subspace.function(view(size=lambda width: width // 2))
    assert found.meta["k"] == {HERE.name: 8, THERE.name: 8, HEAD.name: 2}
    assert random_subspace.function(view(size=lambda _: 16)).meta["k"][HEAD.name] == 4


def test_more_directions_than_a_site_is_wide_are_refused():
    with pytest.raises(MethodError, match="5 features do not fit into head"):
        random_subspace.function(view(), k=5)
