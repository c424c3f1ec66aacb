from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from mibench.artifacts.dictionary_files import load_dictionary, needs_processing
from mibench.core.errors import ArtifactError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.dictionaries.coder import Coder

GOLDEN = Path(__file__).parents[4] / "golden" / "sae_lens"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/outputs.npz"))
UNIT_ALREADY = ("topk_rescaled",)
ARCHITECTURES = {
    "standard": "relu",
    "topk": "topk",
    "old": "topk",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "transcoder": "relu",
    "skip": "relu",
    "batchtopk": "batchtopk",
    "matryoshka": "matryoshka",
}


def raw(case):
    return load_file(GOLDEN / case / "sae_weights.safetensors")


def norms(case):
    """Norms of the decoder's rows, by which its latents are smaller than those of unit rows."""
    if case in UNIT_ALREADY:
        return 1.0
    finished = case.removesuffix("_in_training")
    if finished == "standard_bfloat16":
        from safetensors.torch import load_file as load_torch

        return load_torch(GOLDEN / case / "sae_weights.safetensors")["W_dec"].float().norm(dim=1).numpy()
    return np.linalg.norm(raw(finished)["W_dec"], axis=1)


def test_all_cases_are_there():
    assert len(CASES) == 19


@pytest.mark.parametrize("case", CASES)
def test_it_computes_what_sae_lens_computes(case):
    expected = np.load(GOLDEN / case / "outputs.npz")
    dictionary = load_dictionary(GOLDEN / case)
    coder = Coder(dictionary, device=torch.device("cpu"), dtype=torch.float32)
    x = torch.from_numpy(expected["x"])
    latents = coder.encode(x)
    units = norms(case)
    if dictionary.rule.scaling == "layer-norm":
        # There latents are of the normalised activation.
        units = units * expected["x"].std(axis=1, ddof=1, keepdims=True)
    wanted = expected["latents"] * units
    assert np.array_equal(latents.numpy() != 0, wanted != 0)
    assert np.abs(latents.numpy() - wanted).max() < 1e-5
    assert np.abs(coder.reconstruct(x).numpy() - expected["reconstruction"]).max() < 1e-5
    assert np.count_nonzero(wanted) > 40


@pytest.mark.parametrize("case", CASES)
def test_it_says_what_it_is(case):
    dictionary = load_dictionary(GOLDEN / case, model="openai-community/gpt2")
    assert dictionary.place.model == "openai-community/gpt2"
    assert dictionary.place.hook.layer == 1
    assert dictionary.architecture == ARCHITECTURES[case.split("_")[0]]
    assert (dictionary.place.output is not None) == ("transcoder" in case)
    if "transcoder" not in case and "hook_z" not in case:
        assert dictionary.training.context == 64
    assert dictionary.rule.pre_bias == ("transcoder" not in case and "no_pre_bias" not in case)


def test_facts_of_the_training_are_kept():
    dictionary = load_dictionary(GOLDEN / "matryoshka_batchtopk")
    assert dictionary.training.groups == (6, 6, 12)
    assert dictionary.params == {"k": 3.5}
    assert dictionary.training.bos is True
    assert load_dictionary(GOLDEN / "batchtopk").params == {"k": 3}
    old = load_dictionary(GOLDEN / "old_topk")
    assert (old.training.corpus, old.training.tokens, old.rule.k) == ("openwebtext", None, 4)


def test_old_and_new_settings_give_the_same_dictionary():
    old, new = (load_dictionary(GOLDEN / name) for name in ("old_topk", "topk"))
    assert old.digest == new.digest


def test_heads_side_by_side_are_one_place():
    assert load_dictionary(GOLDEN / "standard_hook_z").place.hook == HookPoint(1, HookKind.HEADS)


@pytest.fixture
def changed(tmp_path):
    """``changed(case, change)``: a copy whose settings ``change(config)`` changed in place."""

    def make(case, change=lambda config: None, weights=None):
        folder = tmp_path / "copy"
        shutil.copytree(GOLDEN / case, folder)
        config = json.loads((folder / "cfg.json").read_text())
        change(config)
        (folder / "cfg.json").write_text(json.dumps(config))
        if weights is not None:
            arrays = load_file(folder / "sae_weights.safetensors")
            weights(arrays)
            save_file(arrays, folder / "sae_weights.safetensors")
        return folder

    return make


@pytest.mark.parametrize("scaler", ["cfg", "file"])
def test_a_scale_that_was_not_folded_in_is_used(changed, scaler):
    def settings(config):
        config["normalize_activations"] = "expected_average_only_in"
        if scaler == "cfg":
            config["norm_scaling_factor"] = 0.4

    folder = changed("standard", settings)
    if scaler == "file":
        (folder / "activation_scaler.json").write_text('{"scaling_factor": 0.4}')
    tensors, x = raw("standard"), np.load(GOLDEN / "standard" / "outputs.npz")["x"]
    # What folding would give.
    w_enc, w_dec, b_dec = tensors["W_enc"] * 0.4, tensors["W_dec"] / 0.4, tensors["b_dec"] / 0.4
    wanted = np.maximum((x - b_dec) @ w_enc + tensors["b_enc"], 0) @ w_dec + b_dec
    coder = Coder(load_dictionary(folder), device=torch.device("cpu"), dtype=torch.float32)
    assert np.allclose(coder.reconstruct(torch.from_numpy(x)).numpy(), wanted, atol=1e-5)


def test_a_scale_that_nobody_says_is_asked_for(changed):
    folder = changed("standard", lambda config: config.update(normalize_activations="expected_average_only_in"))
    with pytest.raises(ArtifactError, match="by how much") as caught:
        load_dictionary(folder)
    assert "norm_scaling_factor" in caught.value.do


@pytest.mark.parametrize(
    ("case", "values", "word"),
    [
        ("standard", {"normalize_activations": "constant_norm_rescale"}, "constant_norm_rescale"),
        ("standard", {"normalize_activations": "covariance_whitening"}, "covariance_whitening"),
        ("standard", {"normalize_activations": ["none"]}, "a list"),
        ("transcoder", {"normalize_activations": "layer_norm"}, "does not undo"),
        ("transcoder", {"apply_b_dec_to_input": True}, "subtracts b_dec"),
        ("standard", {"architecture": "temporal"}, "temporal"),
        ("standard", {"architecture": "abstopk"}, "abstopk"),
        ("standard", {"architecture": 3}, "architecture"),
        ("standard", {"activation_fn": "tanh-relu"}, "tanh-relu"),
        ("gated", {"activation_fn": "topk", "k": 3}, "topk"),
        ("standard", {"reshape_activations": "hook_z"}, "hook_z"),
        ("standard", {"reshape_activations": "other"}, "other"),
        ("standard", {"d_in": 9}, "d_in"),
        ("standard", {"d_sae": 25}, "d_sae"),
        ("transcoder", {"d_out": 8}, "d_out"),
        ("topk", {"k": None}, "how many latents"),
        ("topk", {"k": 4.0}, "'k'"),
        ("topk", {"k": 25}, "25 of 24"),
        ("topk", {"k": True}, "'k'"),
        ("standard", {"apply_b_dec_to_input": "yes"}, "apply_b_dec_to_input"),
        ("gated", {"architecture": "standard"}, "b_enc"),
        ("jumprelu", {"architecture": "standard"}, "threshold"),
        ("standard", {"architecture": "jumprelu"}, "threshold"),
        ("standard", {"metadata": [1]}, "metadata"),
    ],
)
def test_what_a_dictionary_cannot_say_is_refused_by_name(changed, case, values, word):
    with pytest.raises(ArtifactError) as caught:
        load_dictionary(changed(case, lambda config: config.update(values)))
    assert word in caught.value.why


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"hook_head_index": 2}, "head 2"),
        ({"hook_name": "blocks.1.attn.hook_q"}, "hook_q"),
        ({"hook_name": None}, "Nothing says where it reads"),
        ({"hook_layer": 4}, "layer 4"),
        ({"hook_name": 5}, "hook_name"),
        ({"model_name": "a\u0000b"}, "model_name"),
        ({"context_size": -1}, "context_size"),
    ],
)
def test_a_place_that_is_not_clear_is_refused(changed, values, word):
    with pytest.raises(ArtifactError) as caught:
        load_dictionary(changed("standard", lambda config: config["metadata"].update(values)))
    assert word in caught.value.why


def test_a_transcoder_needs_to_say_where_it_writes(changed):
    folder = changed("transcoder", lambda config: config["metadata"].pop("hook_name_out"))
    with pytest.raises(ArtifactError, match="cannot be used") as caught:
        load_dictionary(folder)
    assert "->" in caught.value.do
    said = load_dictionary(folder, hook="mlp-normalised.L1->mlp-out.L1")
    assert said.place.output == HookPoint(1, HookKind.MLP_OUT)


def test_factors_of_fine_tuning_multiply_latents(changed):
    factors = np.linspace(0.5, 2, 24).astype(np.float32)

    def weights(arrays):
        arrays["scaling_factor"] = factors

    folder = changed("standard", lambda config: config.update(finetuning_scaling_factor=True), weights)
    expected = np.load(GOLDEN / "standard" / "outputs.npz")
    wanted = (expected["latents"] * factors) @ raw("standard")["W_dec"] + raw("standard")["b_dec"]
    coder = Coder(load_dictionary(folder), device=torch.device("cpu"), dtype=torch.float32)
    assert np.allclose(coder.reconstruct(torch.from_numpy(expected["x"])).numpy(), wanted, atol=1e-5)


def test_factors_of_which_nobody_says_whether_they_count_are_refused(changed):
    def weights(arrays):
        arrays["scaling_factor"] = np.full(24, 2, np.float32)

    with pytest.raises(ArtifactError, match="cannot be used"):
        load_dictionary(changed("standard", weights=weights))


def test_norms_count_for_the_selection_of_the_largest_only(changed):
    folder = changed("jumprelu", lambda config: config.update(rescale_acts_by_decoder_norm=True))
    assert load_dictionary(folder).digest == load_dictionary(GOLDEN / "jumprelu").digest


def test_factors_of_one_say_nothing(changed):
    def weights(arrays):
        arrays["scaling_factor"] = np.ones(24, np.float32)

    assert load_dictionary(changed("standard", weights=weights)).digest == load_dictionary(GOLDEN / "standard").digest


@pytest.mark.parametrize("name", ["W_enc", "W_dec"])
def test_a_matrix_the_wrong_way_round_is_refused(changed, name):
    def weights(arrays):
        arrays[name] = np.ascontiguousarray(arrays[name].T)

    with pytest.raises(ArtifactError) as caught:
        load_dictionary(changed("standard", weights=weights))
    assert name in caught.value.why


def test_a_tensor_that_nobody_knows_is_refused(changed):
    def weights(arrays):
        arrays["W_more"] = np.zeros((2, 2), np.float32)

    with pytest.raises(ArtifactError) as caught:
        load_dictionary(changed("standard", weights=weights))
    assert "W_more" in caught.value.why


def test_negative_thresholds_let_no_negative_latent_pass(changed):
    def weights(arrays):
        arrays["threshold"] = np.full(24, -1, np.float32)

    folder = changed("jumprelu", weights=weights)
    tensors, x = raw("jumprelu"), np.load(GOLDEN / "jumprelu" / "outputs.npz")["x"]
    p = (x - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]
    wanted = np.maximum(p, 0) * (p > -1) * np.linalg.norm(tensors["W_dec"], axis=1)
    coder = Coder(load_dictionary(folder), device=torch.device("cpu"), dtype=torch.float32)
    assert np.allclose(coder.encode(torch.from_numpy(x)).numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "wanted"),
    [({"center_writing_weights": True}, True), ({"fold_ln": False}, False), ({"dtype": "bfloat16"}, False)],
)
def test_processing_of_the_model_is_kept_and_told(changed, kwargs, wanted):
    folder = changed("standard", lambda config: config["metadata"].update(model_from_pretrained_kwargs=kwargs))
    dictionary = load_dictionary(folder)
    assert dictionary.meta["model_from_pretrained_kwargs"] == kwargs
    assert needs_processing(dictionary) is wanted
