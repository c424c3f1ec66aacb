from __future__ import annotations

import numpy as np
import pytest
import torch
from planted_sites import HERE, THERE, WIDTH, PlantedRuns, angle, planted_activations, planted_view, rows_of

from mibench.core.errors import MethodError
from mibench.methods.variable.mean_difference import mean_difference

N = 60
GENERATOR = np.random.default_rng(5)
MEANS = {name: GENERATOR.standard_normal(WIDTH) for name in "abc"}


def runs(names: str, noise: float = 2.0) -> PlantedRuns:
    values = [GENERATOR.choice(list(names), N).tolist() for _ in range(2)]
    base, source = planted_activations(values, MEANS, noise * np.eye(WIDTH))
    return PlantedRuns(rows_of(*values), {HERE: base}, {HERE: source})


def columns(found, site=HERE) -> np.ndarray:
    return found[site].operations[0].tensors["rotation"]


def test_for_a_binary_variable_it_is_the_difference_of_the_planted_means():
    found = mean_difference.function(planted_view(runs("ab")))
    found.validate()
    assert columns(found).shape == (WIDTH, 1)
    assert angle(columns(found).astype(float), (MEANS["a"] - MEANS["b"])[:, None]) < 1e-6


def test_for_three_values_it_is_the_plane_of_their_means():
    found = mean_difference.function(planted_view(runs("abc")))
    plane = np.stack([MEANS["a"] - MEANS["c"], MEANS["b"] - MEANS["c"]], axis=1)
    assert columns(found).shape == (WIDTH, 2)
    assert angle(columns(found).astype(float), plane) < 1e-6


def test_fewer_directions_are_those_along_which_means_differ_most():
    planted = runs("abc")
    full, one = (columns(mean_difference.function(planted_view(planted), k=k)) for k in (2, 1))
    assert np.array_equal(full[:, :1], one)


def test_values_that_occur_once_do_not_count():
    planted = runs("ab")
    odd = planted.rows[0].__class__(**{**planted.rows[0].__dict__, "base_value": "z"})
    changed = PlantedRuns((odd, *planted.rows[1:]), planted.base, planted.source)
    assert columns(mean_difference.function(planted_view(changed))).shape == (WIDTH, 1)


def test_a_site_whose_means_agree_is_left_out():
    planted = runs("ab")
    blank = torch.ones_like(planted.base[HERE])
    both = PlantedRuns(planted.rows, {**planted.base, THERE: blank}, {**planted.source, THERE: blank})
    found = mean_difference.function(planted_view(both))
    assert [one.site for one in found.sites] == [HERE]
    assert found.meta["left_out"] == {THERE.name: "the class means agree"}


def test_a_variable_with_one_value_is_refused():
    with pytest.raises(MethodError, match="No site can be fitted") as error:
        mean_difference.function(planted_view(runs("a")))
    assert "1 values, of which fewer than two" in error.value.why
