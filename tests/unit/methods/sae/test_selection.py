"""Which pre-activations become latents, against sorting everything."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.methods.dictionaries.selection import above, batch_top_k, counted, nth_largest, top_k


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.floats(0, 1), st.integers(0, 5), st.booleans())
def test_the_nth_largest_is_what_sorting_says(size, share, seed, ordered):
    values = drawn(size, seed=seed)
    values = values.sort().values if ordered else values.round(decimals=1)
    place = max(1, round(share * size))
    assert nth_largest(values, place) == values.sort(descending=True).values[place - 1]


def test_a_lower_bound_from_unlucky_places_is_made_up_for():
    values = torch.zeros(6100)
    values[::61] = 1 + torch.arange(100)
    assert nth_largest(values, 101) == 0


def test_top_k_takes_the_k_largest_of_each_token():
    values = drawn(5, 8)
    kept = top_k(values, 3).matrix(torch.ones(15)).bool()
    assert torch.equal(kept, values >= values.sort(descending=True).values[:, 2:3])


def test_batch_top_k_shares_a_budget_between_tokens():
    values = drawn(64, 8).abs()
    values[0] += 10
    found = batch_top_k(values, 2)
    kept = found.matrix(torch.ones(len(found.columns))).bool()
    assert kept.sum() == 128
    assert kept[0].all()
    assert values[kept].min() > values[~kept].max()


def test_batch_top_k_takes_nothing_that_is_not_positive_and_all_that_are_equal():
    values = torch.tensor([[1.0, -1, -2], [1, 0, 1]])
    found = batch_top_k(values, 1)
    assert found.matrix(torch.ones(len(found.columns))).tolist() == [[1, 0, 0], [1, 0, 1]]
    assert len(batch_top_k(-values.abs(), 2).columns) == 0


def test_a_bound_is_exclusive_and_may_be_one_a_latent():
    values = torch.tensor([[1.0, 2.0], [3.0, 1.0]])
    bound = torch.tensor([1.0, 1.0])
    assert above(values, bound).matrix(torch.ones(2)).tolist() == [[0, 1], [1, 0]]
    assert counted(values, torch.tensor(1.0)) == pytest.approx(1.0)
