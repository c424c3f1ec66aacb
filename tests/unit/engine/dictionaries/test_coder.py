"""The coder against the plain formula in float64, and what it must not depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dictionary_examples import ARCHITECTURES, SCALINGS, example
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.artifacts.dictionaries import formula
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.dictionaries.nonlinearity import largest

CPU = torch.device("cpu")
ACTIVATIONS = ("relu", "topk", "jumprelu", "gated", "linear")
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}


def coder_of(dictionary, dtype=torch.float64):
    return Coder(dictionary, device=CPU, dtype=dtype)


def tokens(dictionary, n=40, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, dictionary.d_in)) * 1.5 + 0.3


def by_hand(dictionary, x):
    """Latents in activation units and reconstruction of one token, word for word."""
    t = {name: array.astype(np.float64) for name, array in dictionary.tensors.items()}
    rule = dictionary.rule
    factor, shift, read = 1.0, 0.0, x
    if rule.scaling == "constant":
        factor, read = 1 / rule.scale, x * rule.scale
    if rule.scaling == "layer-norm":
        shift = x.sum() / len(x)
        factor = np.sqrt(((x - shift) ** 2).sum() / (len(x) - 1))
        read = (x - shift) / (factor + 1e-5)
    centred = read - t["b_dec"] if rule.pre_bias else read
    f = np.zeros(dictionary.d_sae)
    for j in range(dictionary.d_sae):
        pi = sum(centred[i] * t["w_enc"][i, j] for i in range(len(x)))
        if rule.activation == "gated":
            f[j] = max(np.exp(t["r_mag"][j]) * pi + t["b_mag"][j], 0) if pi + t["b_gate"][j] > 0 else 0
            continue
        p = pi + t["b_enc"][j]
        above = p > t["threshold"][j] if rule.activation == "jumprelu" else True
        f[j] = p if rule.activation == "linear" else max(p, 0) * above
    if rule.activation == "topk":
        kept = sorted(range(len(f)), key=lambda j: (-f[j], j))[: rule.k]
        f = np.array([f[j] if j in kept else 0 for j in range(len(f))])
    written = sum((f[j] * t["w_dec"][j] for j in range(len(f))), t["b_dec"].copy())
    if "w_skip" in t:
        written = written + read @ t["w_skip"]
    norms = np.sqrt((t["w_dec"] ** 2).sum(axis=1))
    return f * norms * factor, written * factor + shift


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_it_computes_the_formula(activation, pre_bias, scaling, dtype):
    for skip in (False, True):
        dictionary = example("relu", activation=activation, pre_bias=pre_bias, scaling=scaling, skip=skip)
        x = tokens(dictionary)
        latents, written = map(np.stack, zip(*(by_hand(dictionary, one) for one in x), strict=True))
        coder, given_x = coder_of(dictionary, dtype), torch.tensor(x, dtype=dtype)
        np.testing.assert_allclose(coder.encode(given_x), latents, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])
        decoded = coder.decode(torch.tensor(latents, dtype=dtype), given_x)
        np.testing.assert_allclose(decoded, written, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * 3)
        np.testing.assert_allclose(
            coder.reconstruct(given_x), decoded, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * 3
        )
        assert coder.encode(given_x).dtype == decoded.dtype == dtype


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_transcoder_of_another_width_computes_the_formula(activation, skip, scaling):
    dictionary = example("relu", activation=activation, d_out=7, scaling=scaling, skip=skip)
    x = tokens(dictionary)
    latents, written = map(np.stack, zip(*(by_hand(dictionary, one) for one in x), strict=True))
    coder = coder_of(dictionary)
    np.testing.assert_allclose(coder.encode(torch.tensor(x)), latents, atol=1e-9)
    np.testing.assert_allclose(coder.reconstruct(torch.tensor(x)), written, atol=1e-9)
    assert (coder.d_in, coder.d_out, coder.d_sae) == (12, 7, 24)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_numpy_formula_agrees(architecture):
    for scaling in SCALINGS:
        dictionary = example(architecture, scaling=scaling)
        x = tokens(dictionary)
        coder = coder_of(dictionary)
        np.testing.assert_allclose(coder.reconstruct(torch.tensor(x)), formula.reconstruct(dictionary, x), atol=1e-9)
        fires = coder.encode(torch.tensor(x)).numpy() != 0
        np.testing.assert_array_equal(fires, formula.encode(dictionary, x) != 0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_latents_fire_and_decoder_rows_have_unit_norm(architecture):
    dictionary = example(architecture)
    coder = coder_of(dictionary)
    np.testing.assert_allclose(coder.decoder.norm(dim=-1), 1, atol=1e-12)
    share = (coder.encode(torch.tensor(tokens(dictionary))) != 0).double().mean()
    assert 0.05 < share <= 1


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_permuting_latents_permutes_latents_and_nothing_else(activation):
    dictionary = example("relu", activation=activation)
    order = np.random.default_rng(3).permutation(dictionary.d_sae)
    moved = {
        name: np.ascontiguousarray(
            array[:, order] if name == "w_enc" else array[order] if array.shape[0] == len(order) else array
        )
        for name, array in dictionary.tensors.items()
    }
    x = torch.tensor(tokens(dictionary))
    before, after = coder_of(dictionary), coder_of(replace(dictionary, tensors=moved))
    np.testing.assert_allclose(after.encode(x), before.encode(x)[:, order], atol=1e-12)
    np.testing.assert_allclose(after.reconstruct(x), before.reconstruct(x), atol=1e-12)


def rescaled(dictionary, factors):
    """The same function with decoder rows times ``factors`` and latents divided by them."""
    t = dict(dictionary.tensors)
    t["w_dec"] = t["w_dec"] * factors[:, None]
    if dictionary.rule.activation == "gated":
        t["r_mag"] = t["r_mag"] - np.log(factors)
        t["b_mag"] = t["b_mag"] / factors
    else:
        t["w_enc"], t["b_enc"] = t["w_enc"] / factors, t["b_enc"] / factors
        if "threshold" in t:
            t["threshold"] = t["threshold"] / factors
    return replace(dictionary, tensors={name: array.astype(np.float32) for name, array in t.items()})


@pytest.mark.parametrize("activation", ["relu", "jumprelu", "linear", "gated"])
@given(exponents=st.lists(st.integers(-6, 6), min_size=24, max_size=24))
@settings(max_examples=20, deadline=None)
def test_rescaling_decoder_rows_changes_nothing(activation, exponents):
    dictionary = example("relu", activation=activation)
    # Powers of two: exact in float32, but for the logarithm of gated.
    other = rescaled(dictionary, 2.0 ** np.array(exponents))
    x = torch.tensor(tokens(dictionary, n=10))
    tolerance = 1e-5 if activation == "gated" else 1e-12
    one, two = coder_of(dictionary), coder_of(other)
    np.testing.assert_allclose(two.decoder, one.decoder, atol=1e-12)
    np.testing.assert_allclose(two.encode(x), one.encode(x), atol=tolerance)
    np.testing.assert_allclose(two.reconstruct(x), one.reconstruct(x), atol=tolerance)


def test_norms_do_not_change_what_topk_keeps():
    dictionary = example("topk", k=4)
    long = dict(dictionary.tensors)
    long["w_dec"] = long["w_dec"] * np.geomspace(1e-3, 1e3, 24, dtype=np.float32)[:, None]
    x = torch.tensor(tokens(dictionary))
    fires = coder_of(dictionary).encode(x) != 0
    assert torch.equal(coder_of(replace(dictionary, tensors=long)).encode(x) != 0, fires)
    assert fires.sum(-1).max() == 4


def test_a_constant_scale_changes_no_latents_unit():
    plain, scaled = example("relu"), example("relu", scaling="constant")
    t = dict(plain.tensors)
    for name in ("b_enc", "b_dec"):
        t[name] = t[name] * np.float32(scaled.rule.scale)
    same = replace(scaled, tensors=t)
    x = torch.tensor(tokens(plain))
    np.testing.assert_allclose(coder_of(same).encode(x), coder_of(plain).encode(x), atol=1e-6)
    np.testing.assert_allclose(coder_of(same).reconstruct(x), coder_of(plain).reconstruct(x), atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_zero_decoder_row_stays_zero_and_its_latent_too(activation):
    dictionary = example("relu", activation=activation, k=24)
    t = dict(dictionary.tensors)
    t["w_dec"] = t["w_dec"].copy()
    t["w_dec"][5] = 0
    dead = replace(dictionary, tensors=t)
    x = tokens(dictionary)
    coder = coder_of(dead)
    assert (coder.decoder[5] == 0).all()
    assert (coder.encode(torch.tensor(x))[:, 5] == 0).all()
    np.testing.assert_allclose(coder.reconstruct(torch.tensor(x)), formula.reconstruct(dead, x), atol=1e-9)


def test_of_equal_latents_the_first_are_kept():
    values = torch.tensor([[1.0, 2, 2, 2, 0], [0, 0, 0, 1, 0], [3, 2, 1, 0, 0], [1, 1, 1, 1, 1]])
    kept = torch.tensor([[0.0, 2, 2, 0, 0], [0, 0, 0, 1, 0], [3, 2, 0, 0, 0], [1, 1, 0, 0, 0]])
    assert torch.equal(largest(values, 2), kept)
    assert torch.equal(largest(values, 5), values)


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=4), st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_the_largest_are_those_of_a_stable_sort(rows, k):
    values = np.array(rows, dtype=float)
    wanted = np.zeros_like(values)
    for row, out in zip(values, wanted, strict=True):
        for j in sorted(range(6), key=lambda j: (-row[j], j))[:k]:
            out[j] = row[j]
    np.testing.assert_array_equal(largest(torch.tensor(values), k), wanted)


def test_leading_axes_are_kept():
    dictionary = example("topk", d_out=7, scaling="layer-norm", skip=True)
    coder, x = coder_of(dictionary), torch.tensor(tokens(dictionary, n=12))
    several = x.reshape(3, 4, 12)
    assert torch.allclose(coder.encode(several).reshape(12, -1), coder.encode(x))
    assert torch.allclose(coder.reconstruct(several).reshape(12, -1), coder.reconstruct(x))


@pytest.mark.parametrize("extra", [{"scaling": "layer-norm"}, {"skip": True}])
def test_decoding_needs_the_activation_only_where_it_must(extra):
    plain, other = coder_of(example("relu")), coder_of(example("relu", **extra))
    x = torch.tensor(tokens(plain.dictionary))
    assert torch.equal(plain.decode(plain.encode(x)), plain.reconstruct(x))
    with pytest.raises(ValueError, match="activation that was encoded"):
        other.decode(other.encode(x))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_pass_through(activation):
    dictionary = example("relu", activation=activation, scaling="layer-norm", k=8)
    coder = coder_of(dictionary)
    x = torch.tensor(tokens(dictionary, n=3), requires_grad=True)
    assert torch.autograd.gradcheck(coder.reconstruct, (x,), atol=1e-5)


def test_activations_of_another_type_are_converted():
    dictionary = example("jumprelu")
    coder = coder_of(dictionary, torch.float32)
    x = torch.tensor(tokens(dictionary))
    assert coder.encode(x).dtype == coder.reconstruct(x).dtype == torch.float32


def test_a_dictionary_is_not_changed_by_its_coder():
    dictionary = example("relu")
    before = {name: array.copy() for name, array in dictionary.tensors.items()}
    coder = coder_of(dictionary, torch.float32)
    coder.decoder.zero_()
    coder.encode(torch.zeros(1, 12)).add_(1)
    for name, array in dictionary.tensors.items():
        np.testing.assert_array_equal(array, before[name])
