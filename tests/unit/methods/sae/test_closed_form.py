"""PCA, identity and mean against numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from planted_activations import Planted, explained, l0_of, made_by, run

from mibench.artifacts.dictionaries.checks import validate_dictionary


def source(**changes):
    return Planted(**{"tokens": 4096} | changes)


def centred(values):
    exact = values.numpy().astype(np.float64)
    return exact - exact.mean(0)


def test_pca_reconstructs_as_numpys_svd_does():
    text = source()
    x = centred(text.inputs)
    _, extents, axes = np.linalg.svd(x, full_matrices=False)
    made = made_by("sae-pca", text, k=5)
    validate_dictionary(made)
    latents, reconstruction = run(made, text.inputs)
    np.testing.assert_allclose(centred(reconstruction), x @ axes[:5].T @ axes[:5], atol=1e-4)
    np.testing.assert_allclose(np.abs(latents.numpy()), np.abs(x @ axes[:5].T), atol=1e-4)
    share = np.square(extents[5:]).sum() / np.square(extents).sum()
    assert made.training.fvu == pytest.approx(share, abs=1e-9)
    assert explained(made, text) == pytest.approx(1 - share, abs=1e-5)
    assert (made.architecture, made.d_sae, made.training.l0) == ("pca", 5, 5.0)


def test_all_components_reconstruct_exactly_and_width_and_k_both_bound_them():
    assert explained(made_by("sae-pca", source()), source()) == pytest.approx(1, abs=1e-9)
    assert [made_by("sae-pca", source(), **given).d_sae for given in ({}, {"width": 7}, {"width": 7, "k": 2})] == [
        16,
        7,
        2,
    ]
    few, more = made_by("sae-pca", source(), k=2), made_by("sae-pca", source(), width=7)
    np.testing.assert_array_equal(few.tensors["w_dec"], more.tensors["w_dec"][:2])


def test_the_identity_is_exact():
    text = source()
    latents, reconstruction = run(made_by("identity", text), text.inputs)
    assert np.array_equal(latents.numpy(), text.inputs.numpy())
    assert np.array_equal(reconstruction.numpy(), text.inputs.numpy())


def test_the_mean_is_that_of_the_epoch_and_explains_nothing():
    text = source()
    made = made_by("mean-dictionary", text)
    validate_dictionary(made)
    np.testing.assert_allclose(made.tensors["b_dec"], text.inputs.numpy().astype(np.float64).mean(0), rtol=1e-6)
    assert explained(made, text) == pytest.approx(0, abs=1e-9)
    assert l0_of(made, text) == 0


@pytest.mark.parametrize("name", ["identity", "sae-pca"])
def test_a_linear_transcoder_is_least_squares(name):
    pairs = source(d_out=9)
    x, y = centred(pairs.inputs), centred(pairs.targets)
    best = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    made = made_by(name, pairs)
    validate_dictionary(made)
    _, reconstruction = run(made, pairs.inputs)
    np.testing.assert_allclose(centred(reconstruction), best, atol=1e-4)
    assert made.training.fvu == pytest.approx(np.square(y - best).sum() / np.square(y).sum(), abs=1e-6)


def test_moments_do_not_suffer_from_a_mean_far_away():
    far = source()
    far.inputs = far.targets = far.inputs + 3000
    assert made_by("sae-pca", far, k=4).training.fvu == pytest.approx(
        made_by("sae-pca", source(), k=4).training.fvu, rel=1e-3
    )
