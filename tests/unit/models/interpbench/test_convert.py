"""The GPT-2 gives the logits of the TransformerLens weights, whatever has to be folded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lens_models import lens_fields, lens_weights, plain
from safetensors.numpy import load_file, save_file
from tiny_models import tiny_model
from transformers import AutoModelForCausalLM

from mibench.core.errors import ModelError
from mibench.models.interpbench.config import LensConfig, lens_config
from mibench.models.interpbench.convert import check_logits, gpt2_weights, write_gpt2
from mibench.models.interpbench.forward import activation, lens_logits
from mibench.models.interpbench.state import Weights, weight_shapes

SMALL = {"n_layers": 2, "n_heads": 4, "d_model": 16, "d_head": 4, "d_mlp": 24, "n_ctx": 9}
IDS = np.array([3, 1, 4, 1, 5, 9, 2, 6])


def small(**changes: Any) -> tuple[LensConfig, Weights]:
    fields = lens_fields(**(SMALL | changes))
    config, state = lens_config(plain(fields)), lens_weights(fields)
    return config, {name: state[name].numpy() for name in weight_shapes(config)}


def logits(folder: Path, dtype: torch.dtype = torch.float64) -> np.ndarray:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    with torch.no_grad():
        found: np.ndarray = model(torch.tensor(IDS)[None]).logits[0].double().numpy()
    return found


def from_gpt2(model: Any) -> tuple[LensConfig, Weights]:
    """A GPT-2 as TransformerLens would hold it, with its norms unfolded and its embedding tied."""
    given = model.config
    heads, width = given.n_head, given.n_embd
    state = {name: value.numpy().astype(np.float32) for name, value in model.state_dict().items()}
    weights: Weights = {
        "embed.W_E": state["transformer.wte.weight"], "pos_embed.W_pos": state["transformer.wpe.weight"],
        "ln_final.w": state["transformer.ln_f.weight"], "ln_final.b": state["transformer.ln_f.bias"],
        "unembed.W_U": state["lm_head.weight"].T, "unembed.b_U": np.zeros(given.vocab_size, np.float32),
    }  # fmt: skip
    for layer in range(given.n_layer):
        old, new = f"transformer.h.{layer}.", f"blocks.{layer}."
        matrix, bias = state[old + "attn.c_attn.weight"], state[old + "attn.c_attn.bias"]
        for place, slot in enumerate("QKV"):
            rows = matrix[:, place * width : (place + 1) * width].T.reshape(heads, -1, width)
            weights[f"{new}attn.W_{slot}"] = np.stack([row.T for row in rows])
            weights[f"{new}attn.b_{slot}"] = bias[place * width : (place + 1) * width].reshape(heads, -1)
        weights[new + "attn.W_O"] = state[old + "attn.c_proj.weight"].reshape(heads, -1, width)
        weights[new + "attn.b_O"] = state[old + "attn.c_proj.bias"]
        for name, part in (("c_fc", "in"), ("c_proj", "out")):
            weights[f"{new}mlp.W_{part}"] = state[f"{old}mlp.{name}.weight"]
            weights[f"{new}mlp.b_{part}"] = state[f"{old}mlp.{name}.bias"]
        for norm in "12":
            weights[f"{new}ln{norm}.w"] = state[f"{old}ln_{norm}.weight"]
            weights[f"{new}ln{norm}.b"] = state[f"{old}ln_{norm}.bias"]
    sizes = (given.n_layer, heads, width, width // heads, 4 * width, given.vocab_size, given.n_positions)
    scale = (width / heads) ** 0.5
    return LensConfig(*sizes, 1e-5, "gelu_new", False, scale, given.scale_attn_by_inverse_layer_idx), weights


@pytest.mark.parametrize("name", ["gpt2", "gpt2_scaled"])
def test_the_forward_pass_is_that_of_gpt2(name: str) -> None:
    model = tiny_model(name, dtype=torch.float32).double()
    config, weights = from_gpt2(model)
    with torch.no_grad():
        expected = model(torch.tensor(IDS)[None]).logits[0].numpy()
    np.testing.assert_allclose(lens_logits(config, weights, IDS), expected, atol=1e-11)


def test_a_gpt2_comes_back_bit_by_bit() -> None:
    model = tiny_model("gpt2", dtype=torch.float32)
    found = gpt2_weights(*from_gpt2(model))
    state = model.state_dict()
    assert found.keys() == state.keys()
    assert all(np.array_equal(found[name], state[name].numpy()) for name in found)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"normalization_type": "LN"},
        {"attn_scale": 3.3},
        {"attn_scale": -1.0, "scale_attn_by_inverse_layer_idx": True},
        {"use_attn_scale": False},
        {"act_fn": "relu"},
        {"act_fn": "gelu", "eps": 0.1},
        {"act_fn": "silu", "normalization_type": "LN", "attn_scale": 5.0},
    ],
)
def test_the_converted_model_has_the_same_logits(changes: dict[str, Any], tmp_path: Path) -> None:
    config, weights = small(**changes)
    write_gpt2(config, weights, tmp_path)
    expected = lens_logits(config, weights, IDS)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(logits(tmp_path), expected, atol=2e-6)
    np.testing.assert_allclose(logits(tmp_path, torch.float32), expected, atol=2e-5)


def test_without_a_bias_the_head_is_taken_as_it_is() -> None:
    config, weights = small(normalization_type="LN")
    weights["unembed.b_U"] = np.zeros_like(weights["unembed.b_U"])
    found = gpt2_weights(config, weights)
    assert np.array_equal(found["lm_head.weight"], weights["unembed.W_U"].T)
    assert np.array_equal(found["transformer.ln_f.bias"], weights["ln_final.b"])


@pytest.mark.parametrize("norm", ["LN", "LNPre"])
def test_the_folded_bias_is_the_bias(norm: str) -> None:
    config, weights = small(normalization_type=norm)
    found = gpt2_weights(config, weights)
    x = np.random.default_rng(0).normal(size=config.d_model)
    x = (x - x.mean()) / x.std()
    gain, shift = (weights.get(f"ln_final.{part}", default) for part, default in (("w", 1.0), ("b", 0.0)))
    expected = (x * gain + shift) @ weights["unembed.W_U"] + weights["unembed.b_U"]
    ours = found["lm_head.weight"] @ (x * found["transformer.ln_f.weight"] + found["transformer.ln_f.bias"])
    np.testing.assert_allclose(ours, expected, atol=2e-6)


@pytest.mark.parametrize(
    "name", ["transformer.wpe.weight", "transformer.h.1.attn.c_attn.bias", "lm_head.weight", "transformer.ln_f.bias"]
)
def test_a_conversion_that_is_off_is_refused(name: str, tmp_path: Path) -> None:
    config, weights = small()
    write_gpt2(config, weights, tmp_path)
    changed = load_file(tmp_path / "model.safetensors")
    changed[name] = changed[name] + np.linspace(0, 0.1, changed[name].size).reshape(changed[name].shape).astype("f4")
    save_file(changed, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match="differs"):
        check_logits(config, weights, tmp_path)


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_gpt2(*small(), tmp_path / name)
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert json.loads((tmp_path / "a" / "config.json").read_text())["activation_function"] == "gelu_new"


@pytest.mark.parametrize("name", ["relu", "gelu", "gelu_new", "silu"])
def test_activations_are_those_of_transformers(name: str) -> None:
    from transformers.activations import ACT2FN

    x = np.linspace(-6, 6, 101)
    np.testing.assert_allclose(activation(name, x), ACT2FN[name](torch.tensor(x)).numpy(), atol=1e-12)
