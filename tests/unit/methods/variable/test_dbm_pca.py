from dataclasses import replace

import numpy as np
import pytest
import torch
from alignment_cases import LAST, array_of, call, edit_at, intervention, outputs, rows, runs, view

from mibench.core.sites import Site
from mibench.engine.interchange.options import SiteEdit
from mibench.methods.subspaces.samples import Samples
from mibench.methods.variable.dbm_pca import components, mib_components

FIRST = Site(1, "first")


def activations(cell):
    given = runs(cell)
    return torch.cat([given.bases([LAST])[LAST], given.sources([LAST])[LAST]])[:, 0].double().numpy()


def samples(values):
    return Samples(values, np.array(["x"] * len(values)), 1e-9)


def test_components_are_those_of_the_covariance_about_the_mean():
    cell = view()
    found = call("dbm-pca", cell, sparsities="0")
    values = activations(cell)
    assert [one.kind for one in found[LAST].operations] == ["affine", "orthogonal"]
    assert np.allclose(array_of(found, "mean"), values.mean(0), atol=1e-5)
    assert (array_of(found, "scale") == 1).all()
    covariance = np.cov(values.T, bias=True)
    inside = array_of(found).T @ covariance @ array_of(found)
    assert np.allclose(inside, np.diag(np.sort(np.linalg.eigvalsh(covariance))[::-1]), atol=1e-4)


def test_all_components_are_the_whole_swap():
    cell = view()
    found = call("dbm-pca", cell, sparsities="0")
    whole = cell.featurizers({LAST: (found[LAST].operations, "all")})
    given = outputs(cell, intervention(whole), (SiteEdit(LAST, lambda base, source: source),))
    assert np.allclose(given.label_logprob[0], given.label_logprob[1], atol=1e-4)


def test_only_the_selected_components_move():
    found = call("dbm-pca", view(), sparsities="0", lr=0.1)
    mask, rotation = found[LAST].select, array_of(found)
    assert 0 < mask.sum() < 16
    base, source = torch.randn(2, 4, 1, 16)
    moved = ((edit_at(found)(base, source) - base).numpy() @ rotation)[:, 0]
    wanted = ((source - base).numpy() @ rotation)[:, 0]
    assert np.allclose(moved, np.where(mask, wanted, 0), atol=1e-5)


def test_what_few_prompts_do_not_span_is_no_component():
    values = np.random.default_rng(0).normal(size=(5, 16))
    assert components(samples(values)).number == 4


def test_equal_activations_have_one_component_that_does_nothing():
    found = components(samples(np.ones((6, 16))))
    assert found.number == 1
    assert found.operations[1].tensors["rotation"].shape == (16, 1)


def test_mib_rotates_raw_activations_along_components_of_standardised_ones():
    values = np.random.default_rng(0).normal(size=(40, 6)) * np.array([1, 2, 3, 4, 5, 60.0])
    found = mib_components(samples(values))
    standardised = (values - values.mean(0)) / values.std(0)
    rotation = found.operations[0].tensors["rotation"]
    expected = np.linalg.svd(standardised, full_matrices=False)[2][:5].T
    assert [one.kind for one in found.operations] == ["orthogonal"]
    assert found.number == 5
    assert np.allclose(np.abs((rotation * expected).sum(0)), 1, atol=1e-5)


def test_mib_copes_with_an_entry_that_never_changes():
    values = np.random.default_rng(0).normal(size=(10, 4))
    values[:, 2] = 7
    rotation = mib_components(samples(values)).operations[0].tensors["rotation"]
    assert np.isfinite(rotation).all()


@pytest.mark.parametrize("variant", ["mibench", "mib"])
def test_the_variant_says_which_basis(variant):
    found = call("dbm-pca", view(), variant=variant, epochs=1)
    kinds = [one.kind for one in found[LAST].operations]
    assert kinds == (["orthogonal"] if variant == "mib" else ["affine", "orthogonal"])


def test_a_site_that_is_equal_in_all_prompts_does_no_harm_to_others():
    same = [replace(row, base=(1, *row.base[1:]), source=(1, *row.source[1:])) for row in rows()]
    found = call("dbm-pca", view((FIRST,), (LAST,), train=same), sparsities="0", epochs=1)
    assert found[FIRST].validate(16) == 1
    assert found[LAST].validate(16) == 16
