"""Sparse products against dense ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.methods.dictionaries import patterns
from mibench.methods.dictionaries.patterns import Pattern
from mibench.methods.dictionaries.sparse import decode, picked


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(params=["sparse", "dense"])
def way(request, monkeypatch):
    monkeypatch.setattr(patterns, "DENSE_SHARE", 1.0 if request.param == "sparse" else -1.0)
    return request.param


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(1, 7), st.floats(0, 1), st.integers(0, 10))
def test_a_pattern_of_a_mask_holds_its_entries_row_by_row(tokens, width, share, seed):
    mask = torch.rand(tokens, width, generator=torch.Generator().manual_seed(seed)) < share
    found = Pattern.where(mask)
    assert (found.tokens, found.width) == (tokens, width)
    assert found.starts.tolist() == [0, *mask.sum(1).cumsum(0).tolist()]
    assert torch.equal(found.matrix(torch.ones(len(found.columns))), mask.float())


def test_columns_of_each_token_make_the_same_pattern_as_their_mask():
    columns = torch.tensor([[2, 0], [1, 3]])
    mask = torch.zeros(2, 4, dtype=torch.bool).scatter(1, columns, value=True)
    values = drawn(4)
    order = torch.tensor([1, 0, 2, 3])
    assert torch.equal(Pattern.each(columns, 4).matrix(values), Pattern.where(mask).matrix(values[order]))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_products_are_those_of_the_dense_matrix(way, share):
    mask = torch.rand(6, 5, generator=torch.Generator().manual_seed(1)) < share
    mask[2], mask[:, 3] = False, False
    pattern = Pattern.where(mask)
    values = drawn(len(pattern.columns))
    matrix = pattern.matrix(values)
    assert pattern.is_dense == (way == "dense")
    torch.testing.assert_close(pattern.times(values, drawn(5, 4)), matrix @ drawn(5, 4))
    torch.testing.assert_close(pattern.transposed_times(values, drawn(6, 3)), matrix.T @ drawn(6, 3))


def test_a_part_of_a_pattern_is_that_part_of_the_matrix():
    mask = torch.rand(6, 9, generator=torch.Generator().manual_seed(2)) < 0.4
    pattern = Pattern.where(mask)
    values = drawn(len(pattern.columns))
    part, which = pattern.between(2, 6)
    assert torch.equal(part.matrix(values[which]), pattern.matrix(values)[:, 2:6])


def test_gradients_at_chosen_entries_are_those_of_the_whole_dictionary(way):
    x, target = drawn(6, 4, seed=1), drawn(6, 3, seed=2)
    given = [drawn(5, 4, seed=3), drawn(5, seed=4), drawn(5, 3, seed=5)]
    sparse, dense = ([one.clone().requires_grad_() for one in given] for _ in range(2))
    known = x @ given[0].T + given[1]
    pattern = Pattern.where(known > 0)

    latents = picked((sparse[0], sparse[1]), x, known, pattern)
    (target - decode(latents.square(), pattern, sparse[2])).square().sum().backward()
    whole = (x @ dense[0].T + dense[1]).relu().square() @ dense[2]
    (target - whole).square().sum().backward()

    torch.testing.assert_close(latents.detach(), known[known > 0])
    for mine, naive in zip(sparse, dense, strict=True):
        torch.testing.assert_close(mine.grad, naive.grad)


def test_a_frozen_decoder_gets_no_gradient_and_latents_still_do(way):
    pattern = Pattern.where(torch.ones(2, 3, dtype=torch.bool))
    values, decoder = drawn(6).requires_grad_(), drawn(3, 2)
    decode(values, pattern, decoder).sum().backward()
    torch.testing.assert_close(values.grad, decoder.sum(1).repeat(2))
    assert decoder.grad is None
