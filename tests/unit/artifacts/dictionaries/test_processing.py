"""Dictionaries trained on processed models: what they do in the model as it is, by algebra on random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dictionary_examples import example

from mibench.artifacts.dictionaries import formula
from mibench.artifacts.dictionaries.dictionary import Place
from mibench.artifacts.dictionaries.processing import processed
from mibench.core.errors import ArtifactError
from mibench.core.hook_points import HookKind, HookPoint

ACTIVATIONS = ("relu", "topk", "jumprelu", "gated", "linear")
CENTRED = {"center_writing_weights": True}
WRITTEN = ("residual-pre", "residual-mid", "residual-post", "attn-out", "mlp-out")


def at(dictionary, kind, output=None):
    point = None if output is None else HookPoint(1, HookKind(output))
    return replace(dictionary, place=Place("tiny", HookPoint(1, HookKind(kind)), point))


def tokens(d=12, n=30, seed=0):
    """Activations whose mean over the entries is far from 0."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + rng.normal(size=(n, 1)) * 3


def centred(x):
    return x - x.mean(-1, keepdims=True)


def layer_norm(x):
    return centred(x) / np.sqrt((centred(x) ** 2).mean(-1, keepdims=True) + 1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scaling", ["none", "constant", "layer-norm"])
@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize("skip", [True, False])
def test_the_mean_passes_by_and_the_rest_is_as_it_was(activation, scaling, pre_bias, skip):
    trained = example("relu", activation=activation, scaling=scaling, pre_bias=pre_bias, skip=skip)
    ours, x = processed(trained, CENTRED, norm="layer"), tokens()
    np.testing.assert_allclose(formula.encode(ours, x), formula.encode(trained, centred(x)), atol=1e-5)
    error = x - formula.reconstruct(ours, x)
    np.testing.assert_allclose(error, centred(x) - formula.reconstruct(trained, centred(x)), atol=1e-5)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_splice_has_the_same_effect_in_both_models(activation):
    """A block that adds to the residual stream, a last LayerNorm and an unembedding, as it is and centred."""
    rng = np.random.default_rng(1)
    a, b, u = rng.normal(size=(12, 12)), rng.normal(size=12) + 1, rng.normal(size=(12, 9))
    a_processed, b_processed = a - a.mean(axis=1, keepdims=True), b - b.mean()

    def logits(residual, weight, bias):
        after = residual + layer_norm(residual) @ weight + bias
        return layer_norm(after) @ u

    trained, x = example("relu", activation=activation), tokens()
    ours = processed(trained, CENTRED, norm="layer")
    np.testing.assert_allclose(logits(x, a, b), logits(centred(x), a_processed, b_processed), atol=1e-9)
    here = logits(formula.reconstruct(ours, x), a, b)
    there = logits(formula.reconstruct(trained, centred(x)), a_processed, b_processed)
    np.testing.assert_allclose(here, there, atol=1e-4)
    assert np.abs(here - logits(x, a, b)).max() > 0.1


@pytest.mark.parametrize("kind", WRITTEN)
def test_all_that_is_written_to_the_residual_stream_was_centred(kind):
    ours = processed(at(example("relu"), kind), CENTRED, norm="layer")
    np.testing.assert_allclose(ours.tensors["w_enc"].sum(axis=0), 0, atol=1e-5)
    assert ours.meta["processing"] == ["center_writing_weights: the mean over the entries passes by the dictionary"]


@pytest.mark.parametrize("kind", WRITTEN)
def test_nothing_is_done_where_the_norm_subtracts_no_mean(kind):
    dictionary = at(example("relu"), kind)
    assert processed(dictionary, {**CENTRED, "fold_ln": True, "center_unembed": True}, norm="rms") is dictionary


@pytest.mark.parametrize("kwargs", [{}, {"fold_ln": True, "center_unembed": True, "fold_value_biases": True}])
@pytest.mark.parametrize("more", [{"dtype": "bfloat16", "n_devices": 1}, {"center_writing_weights": False}])
def test_steps_that_leave_the_residual_stream_alone_change_nothing(kwargs, more):
    dictionary = example("topk")
    assert processed(dictionary, kwargs | more, norm="layer") is dictionary


def test_a_transcoder_that_only_reads_centred_activations_is_centred_there():
    trained = at(example("relu", d_out=12, skip=True), "residual-mid", "mlp-normalised")
    ours, x = processed(trained, CENTRED | {"fold_ln": True}, norm="layer"), tokens()
    np.testing.assert_allclose(formula.reconstruct(ours, x), formula.reconstruct(trained, centred(x)), atol=1e-5)
    plain = at(example("relu", d_out=12), "residual-mid", "mlp-normalised")
    assert "w_skip" not in processed(plain, CENTRED | {"fold_ln": True}, norm="layer").tensors


def test_a_transcoder_with_a_centred_target_is_refused():
    trained = at(example("relu", d_out=12), "mlp-normalised", "mlp-out")
    with pytest.raises(ArtifactError, match="was centred"):
        processed(trained, CENTRED | {"fold_ln": True}, norm="layer")
    assert processed(trained, {"fold_ln": True}, norm="layer") is trained
    assert processed(trained, CENTRED | {"fold_ln": True}, norm="rms") is trained
    scaled = at(example("relu", d_out=12, scaling="layer-norm"), "residual-mid", "mlp-normalised")
    with pytest.raises(ArtifactError, match="would add the mean"):
        processed(scaled, CENTRED | {"fold_ln": True}, norm="layer")


def test_what_a_norm_hands_on_depends_on_whether_it_is_folded():
    normalised = at(example("relu"), "mlp-normalised")
    assert processed(normalised, {"fold_ln": True}, norm="layer") is normalised
    assert processed(normalised, {}, norm="rms") is normalised
    after = processed(normalised, {}, norm="layer")
    assert after.place.hook == HookPoint(1, HookKind.MLP_IN)
    assert after.place.output is None
    both = processed(at(example("relu", d_out=12), "mlp-normalised", "mlp-out"), {}, norm="layer")
    assert (both.place.hook.kind, both.place.target.kind) == (HookKind.MLP_IN, HookKind.MLP_OUT)
    with pytest.raises(ArtifactError, match="folds the scale and shift"):
        processed(at(example("relu"), "mlp-in"), {"fold_ln": True}, norm="layer")
    unfolded = at(example("relu"), "mlp-in")
    assert processed(unfolded, CENTRED, norm="layer") is unfolded


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scaling", ["none", "constant"])
@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize("skip", [True, False])
def test_the_value_bias_is_subtracted_and_added_again(activation, scaling, pre_bias, skip):
    trained = at(example("relu", activation=activation, scaling=scaling, pre_bias=pre_bias, skip=skip), "heads")
    bias, z = np.random.default_rng(2).normal(size=12), tokens()
    ours = processed(trained, {"fold_value_biases": True}, norm="layer", value_bias=bias)
    np.testing.assert_allclose(formula.encode(ours, z), formula.encode(trained, z - bias), atol=1e-5)
    np.testing.assert_allclose(formula.reconstruct(ours, z), formula.reconstruct(trained, z - bias) + bias, atol=1e-5)
    assert processed(trained, CENTRED, norm="layer") is trained


def refuses(kind, kwargs, match, *, norm="layer", bias=None, output=None, **extra):
    dictionary = at(example("relu", d_out=12 if output else None, **extra), kind, output)
    with pytest.raises(ArtifactError, match=match):
        processed(dictionary, kwargs, norm=norm, value_bias=bias)


def test_what_cannot_be_undone_is_refused():
    folded = {"fold_value_biases": True}
    refuses("heads", folded, "took the value bias out")
    refuses("heads", folded, "has shape", bias=np.zeros(5))
    refuses("heads", folded, "has shape", bias=np.full(12, np.nan))
    refuses("heads", folded, "Layer-norm scaling", bias=np.zeros(12), scaling="layer-norm")
    refuses("heads", folded, "without value biases", bias=np.zeros(12), output="residual-mid")
    refuses("heads", {"refactor_factored_attn_matrices": True}, "rotation")


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"checkpoint_index": 3}, "checkpoint_index"),
        ({"fold_ln": "yes"}, "fold_ln is 'yes'"),
        ({"no_processing": True, "fold_ln": True}, "no_processing"),
        ({"no_processing": 1}, "no_processing is 1"),
    ],
)
def test_settings_that_are_not_understood_are_refused(kwargs, match):
    refuses("residual-post", kwargs, match)


def test_no_processing_means_none():
    dictionary = example("relu")
    assert processed(dictionary, {"no_processing": True, "fold_ln": False}, norm="layer") is dictionary


def test_it_is_undone_once():
    ours = processed(example("relu", meta={"kept": 1}), CENTRED, norm="layer")
    assert ours.meta["kept"] == 1
    with pytest.raises(ArtifactError, match="undone already"):
        processed(ours, CENTRED, norm="layer")
