from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mibench.engine.activations.shuffle import WINDOW, pieces


def tokens(sizes, seed, epoch, skip=0):
    """Chunk and place in it of each token, in order."""
    found = []
    for piece in pieces(sizes, seed, epoch, skip):
        names = [(chunk, place) for chunk in piece.chunks for place in range(sizes[chunk])]
        found += [names[token] for token in piece.tokens]
    return found


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 10**9), st.integers(0, 3))
def test_every_token_comes_once(sizes, seed, epoch):
    found = tokens(sizes, seed, epoch)
    assert sorted(found) == [(chunk, place) for chunk, size in enumerate(sizes) for place in range(size)]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 300))
def test_skipping_leaves_out_the_beginning(sizes, skip):
    assert tokens(sizes, 0, 0, skip) == tokens(sizes, 0, 0)[skip:]


def test_a_window_mixes_eight_chunks_at_most_and_all_of_them():
    found = list(pieces([50] * 20, 3, 0))
    assert [len(piece.chunks) for piece in found] == [WINDOW, WINDOW, 4]
    first_tenth = found[0].tokens[:40] // 50
    assert len(set(first_tenth.tolist())) == WINDOW


def test_seeds_and_epochs_have_orders_of_their_own():
    orders = {tuple(tokens([5] * 4, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert tokens([5] * 4, 1, 2) == tokens([5] * 4, 1, 2)


def test_each_token_is_as_likely_at_each_place():
    first = [tokens([2, 2], seed, 0)[0] for seed in range(2000)]
    share = np.array([first.count(name) for name in ((0, 0), (0, 1), (1, 0), (1, 1))]) / len(first)
    assert np.abs(share - 0.25).max() < 0.05
