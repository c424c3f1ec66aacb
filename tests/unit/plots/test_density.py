"""Histograms of densities: shares that add up, dead latents apart, and bytes that repeat."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.plots.density import Densities, density_picture

FEW = Densities("topk k=4", np.array([0.0, 0.001, 0.01, 0.01, 0.1, 1.0, 0.0, 0.0]), 1000)


def stairs(picture):
    return [patch for patch in picture.figure.axes[0].patches if hasattr(patch, "get_data") and not patch.get_fill()]


def test_dead_latents_are_told_apart():
    assert FEW.dead == 0.375
    assert FEW.words == "8 latents, 37.5 % dead, median of the others 1 %"
    (*_, key) = density_picture([FEW], "t").figure.axes
    assert any("37.5 % dead" in text.get_text() for text in key.texts)


def test_shares_of_a_histogram_are_where_the_densities_are():
    (drawn,) = stairs(density_picture([FEW], "t"))
    shares, edges, _ = drawn.get_data()
    by_edge = {round(float(edge), 2): float(share) for edge, share in zip(edges, shares, strict=False) if share}
    assert by_edge == {-3.0: 12.5, -2.0: 25.0, -1.0: 12.5, -0.25: 12.5}


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_bars_and_dead_latents_add_up_to_all(counts):
    one = Densities("x", np.array(counts) / 1000, 1000)
    (drawn,) = stairs(density_picture([one], "t"))
    assert drawn.get_data().values.sum() + 100 * one.dead == pytest.approx(100)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_dead_latents_are_bars_of_their_share_that_do_not_overlap(count):
    shown = [FEW] * count
    axes = density_picture(shown, "t").figure.axes[0]
    never = [patch for patch in axes.patches if hasattr(patch, "get_x")]
    assert [patch.get_height() for patch in never] == pytest.approx([37.5] * count)
    low, high = axes.get_xlim()
    assert sum(patch.get_width() for patch in never) > 0.05 * (high - low)
    ends = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in never]
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends))
    assert ends[0][0] > low


def test_a_dictionary_whose_latents_are_all_dead_is_drawn():
    dead = Densities("dead", np.zeros(5), 10)
    assert dead.words == "5 latents, 100 % dead"
    assert density_picture([dead], "t").svg()


def test_several_are_told_apart_and_the_same_give_the_same_bytes():
    many = [Densities(f"d{i}", np.full(4, 0.1 / (i + 1)), 100) for i in range(9)]
    one, two = (density_picture(many, "t") for _ in "ab")
    looks = {(str(patch.get_edgecolor()), patch.get_linestyle()) for patch in stairs(one)}
    assert len(looks) == 9
    assert one.svg() == two.svg()
