import numpy as np
import pytest
import torch
from alignment_cases import HEADS, LAST, array_of, call, edit_at, intervention, outputs, view

QUICK = {"epochs": 3, "lr": 0.02}


def count(found, site=LAST):
    return found[site].n_selected(16)


def test_columns_are_orthonormal():
    rotation = array_of(call("boundless-das", view(), **QUICK))
    assert np.abs(rotation.T @ rotation - np.eye(rotation.shape[1])).max() < 1e-5


def test_a_dear_boundary_swaps_nothing_and_a_free_one_swaps_more():
    dear = call("boundless-das", view(), price=1e4, boundary_lr=0.2, **QUICK)
    free = call("boundless-das", view(), price=0.0, **QUICK)
    assert count(dear) == 0
    assert count(free) > 0
    base, source = torch.randn(2, 4, 1, 16)
    assert torch.equal(edit_at(dear)(base, source), base)


def test_nothing_swapped_gives_what_no_intervention_gives():
    dear = call("boundless-das", view(), price=1e4, boundary_lr=0.2, **QUICK)
    given = outputs(view(), intervention(dear), ())
    assert np.allclose(given.label_logprob[0], given.label_logprob[1], atol=1e-5)


def test_it_starts_at_half_of_the_width():
    assert count(call("boundless-das", view(), epochs=1, boundary_lr=1e-9)) == 8


def test_cold_gates_train_what_is_scored():
    found = call("boundless-das", view(), epochs=1, batch=24, lr=1e-9, boundary_lr=1e-9, hot=1e-3, cold=1e-3)
    loss = -outputs(view(), intervention(found)).label_logprob.mean()
    assert found.meta["log"][LAST.name]["loss"][0] == pytest.approx(loss, rel=1e-4)


def test_the_loss_goes_down():
    log = call("boundless-das", view(), epochs=10, lr=0.05).meta["log"][LAST.name]["loss"]
    assert log[-1] < log[0]


def test_each_head_has_a_boundary_of_its_own():
    found = call("boundless-das", view(HEADS), epochs=6, lr=0.1, boundary_lr=0.1, price=0.0, hot=1.0)
    assert {one.site for one in found.sites} == set(HEADS)
    assert all(0 <= found[site].n_selected(4) <= 4 for site in HEADS)
