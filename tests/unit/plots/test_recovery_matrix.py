"""Matrices of recovery: order, blocks, what a record does not hold, and bytes that repeat."""

from __future__ import annotations

import numpy as np
import pytest

from mibench.metrics.sae.matching import closest, cosines, match
from mibench.plots.recovery_matrix import MOST, Recovery, blocks, recovery_picture


def recovery(latents=6, features=4, seed=0, *, whole=True, width=8):
    rng = np.random.default_rng(seed)
    found = cosines(rng.normal(size=(latents, width)), rng.normal(size=(features, width)))
    matching, best = match(found), closest(found)
    own = found[np.arange(latents), best]
    return Recovery(matching.latent, matching.similarity, best, own, found if whole else None)


@pytest.mark.parametrize("sizes", [(6, 4), (4, 6), (5, 5)])
def test_the_diagonal_holds_the_matches_best_first(sizes):
    found = recovery(*sizes)
    drawn, n = blocks(found), min(sizes)
    assert np.diag(drawn)[:n] == pytest.approx(found.matched)
    assert (np.diff(found.matched) <= 0).all()
    assert sorted(found.latent_order) == list(range(sizes[0]))
    assert sorted(found.feature_order) == list(range(sizes[1]))


def test_all_cosines_are_there_once_each():
    found = recovery(6, 4)
    assert np.sort(blocks(found).ravel()) == pytest.approx(np.sort(found.cosines.ravel()))


def test_from_tables_only_matches_and_closest_features_are_known():
    whole, tables = recovery(), recovery(whole=False)
    known = ~np.isnan(blocks(tables))
    assert known.sum() < known.size
    assert blocks(tables)[known] == pytest.approx(blocks(whole)[known])
    written = " ".join(text.get_text() for text in recovery_picture(tables, "t").figure.texts)
    assert "left blank" in written


def test_of_many_latents_a_cell_is_the_largest_of_its_block():
    found = recovery(MOST * 2, MOST * 3, width=5)
    drawn = blocks(found)
    assert drawn.shape == (MOST, MOST)
    first = found.cosines[np.ix_(found.latent_order[:2], found.feature_order[:3])]
    assert drawn[0, 0] == first.max()


def test_recovered_features_are_counted():
    exact = Recovery(np.array([1, 0, -1]), np.array([0.95, 0.5, 0.0]), np.array([1, 0]), np.array([0.5, 0.95]))
    axes = recovery_picture(exact, "t").figure.axes
    (right,) = [one for one in axes if one.get_title(loc="left").startswith("Matches")]
    assert right.get_title(loc="left") == "Matches: mean 0.725"
    assert any("1 of 3 recovered, 1 without a latent" in text.get_text() for text in right.texts)


def test_the_longest_bar_says_how_many_features_it_is_of():
    found = Recovery(np.arange(4), np.array([0.95, 0.95, 0.94, 0.2]), np.arange(4), np.array([0.95, 0.95, 0.94, 0.2]))
    axes = recovery_picture(found, "t").figure.axes
    (right,) = [one for one in axes if one.get_title(loc="left").startswith("Matches")]
    (count,) = [text for text in right.texts if text.get_text().isdecimal()]
    assert count.get_text() == "3"
    assert count.get_position()[1] == pytest.approx(0.9375)


def test_nothing_matched_is_drawn_too():
    none = Recovery(np.array([-1, -1]), np.zeros(2), np.zeros(0, np.int64), np.zeros(0))
    assert recovery_picture(none, "t").svg()


@pytest.mark.parametrize("whole", [True, False])
def test_the_same_recovery_gives_the_same_bytes(whole):
    one, two = (recovery_picture(recovery(whole=whole), "t", theme="dark") for _ in "ab")
    assert one.svg() == two.svg()
    assert one.png(50) == two.png(50)
