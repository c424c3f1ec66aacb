from dataclasses import replace

import numpy as np
import pytest
import torch
from alignment_cases import EARLY, HEADS, LAST, array_of, call, edit_at, intervention, model, outputs, rows, runs, view

from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import MethodError
from mibench.core.sites import Component, Site
from mibench.engine.interchange.options import SiteEdit
from mibench.methods.alignment.subspaces import swap_along
from mibench.tasks.interchange import LinearTarget
from mibench.tasks.variable_task import Training


def planted(number, direction, seed):
    """Rows whose label is what the network says when the source's part along ``direction`` is put in."""
    bare = rows(number, seed)
    swap = (SiteEdit(LAST, swap_along(direction)),)
    (batch,) = runs(view(train=bare)).minibatches(number, torch.Generator())
    with torch.no_grad():
        said = batch.logits(swap)[:, 0].argmax(-1).tolist()
    labels = dict(zip(batch.rows, said, strict=True))
    return [replace(row, accepted=((labels[place],),)) for place, row in enumerate(bare)]


def direction():
    drawn = torch.randn(16, 1, generator=torch.Generator().manual_seed(5))
    return drawn / drawn.norm()


def test_a_planted_direction_is_found():
    cell = view(train=planted(160, direction(), 3), validation=planted(60, direction(), 4))
    found = call("das", cell, k=1, epochs=12, batch=8, lr=0.03)
    truth = (SiteEdit(LAST, swap_along(direction())),)
    learnt, planted_one, nothing = cell.evaluate([intervention(found), truth, ()])
    assert abs((array_of(found).T @ direction().numpy()).item()) > 0.95
    assert planted_one == 1
    assert learnt > 0.9 > nothing + 0.2


def test_columns_are_orthonormal_and_all_are_selected():
    found = call("das", view(), lr=0.5)
    rotation = array_of(found)
    assert np.abs(rotation.T @ rotation - np.eye(4)).max() < 1e-5
    assert rotation.dtype == np.float32
    assert found[LAST].select == "all"


def test_the_task_says_how_many_directions_unless_k_does():
    assert array_of(call("das", view(size=3))).shape == (16, 3)
    assert array_of(call("das", view(size=3), k=5)).shape == (16, 5)


def test_more_directions_than_the_site_is_wide_are_refused():
    with pytest.raises(MethodError, match="17 features do not fit"):
        call("das", view(), k=17)


def test_as_many_directions_as_the_site_is_wide_are_the_whole_swap():
    found = call("das", view(), k=16)
    whole = (SiteEdit(LAST, lambda base, source: source),)
    given = outputs(view(), intervention(found), whole)
    assert np.allclose(given.label_logprob[0], given.label_logprob[1], atol=1e-4)


def test_a_wide_model_type_does_not_change_what_is_handed_in_much():
    half = call("das", view(model=model(torch.float32)))
    full = call("das", view(model=model(torch.float64)))
    assert array_of(full).dtype == np.float32
    assert np.abs(array_of(half) - array_of(full)).max() < 1e-2


def test_sixteen_bit_models_get_a_rotation_of_32_bits():
    found = call("das", view(model=model(torch.bfloat16)))
    rotation = array_of(found)
    assert rotation.dtype == np.float32
    assert np.abs(rotation.T @ rotation - np.eye(4)).max() < 1e-5


def test_heads_are_trained_jointly_at_all_tokens_of_prompts_of_several_lengths():
    found = call("das", view(HEADS), k=2, lr=1.0)
    before = call("das", view(HEADS), k=2, lr=1e-9)
    assert array_of(found, site=HEADS[1]).shape == (4, 2)
    log = [np.mean(outputs(view(HEADS), intervention(one, *HEADS)).label_logprob) for one in (before, found)]
    assert log[1] > log[0]


@pytest.mark.parametrize("component", [Component.RESIDUAL_PRE, Component.MLP, Component.HEAD])
def test_every_component_can_be_trained_at(component):
    site = Site(1, "last", component, 1 if component is Component.HEAD else None)
    assert array_of(call("das", view((site,)), k=2), site=site).shape[1] == 2


def test_a_linear_target_is_learnt():
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (24, 1))
    given = [
        replace(row, target=LinearTarget((3, 4), tuple(sign), (1.0,))) for row, sign in zip(rows(), signs, strict=True)
    ]
    cell = view(train=given, training=Training(10, 8, 0.05), coefficients=(0.1, 0.5))
    log = call("das", cell, k=8).meta["log"][LAST.name]["loss"]
    assert log[-1] < log[0]


def test_the_log_has_the_loss_of_each_epoch():
    log = call("das", view((LAST,), (EARLY,)), epochs=3).meta["log"]
    assert {name: len(entry["loss"]) for name, entry in log.items()} == {LAST.name: 3, EARLY.name: 3}


def test_what_is_handed_in_is_an_interchange():
    base, source = torch.randn(2, 4, 1, 16)
    found = call("das", view())
    edit = edit_at(found)
    assert torch.allclose(edit(base, base), base, atol=1e-5)
    rotation = torch.tensor(array_of(found))
    assert torch.allclose(edit(base, source) @ rotation, source @ rotation, atol=1e-5)
    assert isinstance(found[LAST].operations[0], Operation)
