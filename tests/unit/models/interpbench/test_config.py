"""What a GPT-2 can stand for is taken over; every other field is refused by name."""

from __future__ import annotations

import math
from typing import Any

import pytest
from lens_models import lens_fields, plain

from mibench.core.errors import ModelError
from mibench.models.catalogue import model_spec
from mibench.models.interpbench.config import LensConfig, lens_config
from mibench.models.interpbench.convert import gpt2_config
from mibench.models.interpbench.inert import Inert
from mibench.models.interpbench.state import weight_shapes

PUBLISHED = {"n_ctx": 1024, "d_mlp": 3072, "d_vocab": 50257, "d_vocab_out": 50257}


def config(**changes: Any) -> LensConfig:
    return lens_config(plain(lens_fields()) | changes)


def test_sizes_are_taken_over() -> None:
    found = config()
    assert found == LensConfig(6, 4, 64, 16, 48, 37, 32, 1e-5, "gelu_new", True, 8.0, False)
    written = gpt2_config(found)
    assert (written["n_inner"], written["n_positions"], written["tie_word_embeddings"]) == (48, 32, False)
    assert (written["bos_token_id"], gpt2_config(config(**PUBLISHED))["eos_token_id"]) == (None, 50256)


def test_the_catalogue_counts_the_parameters_of_the_converted_model() -> None:
    spec, found = model_spec("interpbench"), config(**PUBLISHED)
    norms = 2 * (2 * found.n_layers + 1) * found.d_model
    weights = sum(math.prod(shape) for name, shape in weight_shapes(found).items() if name != "unembed.b_U")
    assert spec.n_params == weights + norms
    assert (spec.n_layers, spec.n_heads, spec.d_model) == (found.n_layers, found.n_heads, found.d_model)


@pytest.mark.parametrize(
    ("changes", "scale"),
    [
        ({}, 8.0),
        ({"attn_scale": -1.0}, 4.0),
        ({"attn_scale": None}, None),
        ({"use_attn_scale": False}, 1.0),
        ({"attn_scale": 0.0}, None),
        ({"attn_scale": math.nan}, None),
        ({"attn_scale": math.inf}, None),
        ({"attn_scale": -2.0}, None),
        ({"attn_scale": True}, None),
    ],
)
def test_scores_are_divided_by_what_the_configuration_says(changes: dict[str, Any], scale: float | None) -> None:
    if scale is None:
        with pytest.raises(ModelError, match="cannot be converted") as caught:
            config(**changes)
        assert "attn_scale" in caught.value.why
    else:
        assert config(**changes).attn_scale == scale


def test_a_release_that_knew_no_divisor_divided_by_the_root_of_the_width() -> None:
    fields = plain(lens_fields())
    del fields["attn_scale"]
    assert lens_config(fields).attn_scale == 4.0


@pytest.mark.parametrize(
    ("left_out", "found"),
    [("n_heads", 4), ("d_mlp", 256), ("d_vocab_out", 37), ("eps", 1e-5), ("normalization_type", False)],
)
def test_what_is_left_out_has_the_value_of_transformer_lens(left_out: str, found: object) -> None:
    fields = plain(lens_fields())
    del fields[left_out]
    read = lens_config(fields)
    attribute = {"d_vocab_out": "d_vocab", "normalization_type": "folded_norm"}.get(left_out, left_out)
    assert getattr(read, attribute) == found


REFUSED = {
    "act_fn": ("solu_ln", "gelu_fast", None, 3), "attention_dir": ("bidirectional",), "attn_only": (True,),
    "attn_scores_soft_cap": (50.0,), "output_logits_soft_cap": (30.0,), "d_head": (8, 0, "16", 1.5, True),
    "d_mlp": (10**7, -3), "d_model": (-1, 10**9), "d_vocab": (None, [37]), "d_vocab_out": (38,), "eps": (0, -1.0),
    "final_rms": (True,), "gated_mlp": (True,), "n_ctx": (9000, 2.0), "n_heads": (2,), "n_key_value_heads": (2,),
    "n_layers": (0, True), "normalization_type": ("RMS", None), "num_experts": (4,), "parallel_attn_mlp": (True,),
    "positional_embedding_type": ("rotary", "shortformer"), "post_embedding_ln": (True,), "use_local_attn": (True,),
    "use_normalization_before_and_after": (True,), "use_qk_norm": (True,), "of_a_later_release": ("on", [1], {"a": 1}),
    "dtype": (Inert("torch bfloat16"), "float32"), "load_in_4bit": (True,), "__setstate__": ("anything",),
    "scale_attn_by_inverse_layer_idx": ("yes", [True]),
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_what_no_gpt2_stands_for_is_refused(name: str, value: object) -> None:
    with pytest.raises(ModelError, match="cannot be converted") as caught:
        config(**{name: value})
    said = {
        "dtype": "computes in", "n_heads": "heads of", "d_vocab_out": "37 tokens", "n_key_value_heads": "key and value",
        "d_mlp": "", "d_model": "", "n_ctx": "", "d_head": "",
    }  # fmt: skip
    assert said.get(name, name) in caught.value.why


def test_a_model_of_too_many_parameters_is_refused() -> None:
    with pytest.raises(ModelError) as caught:
        config(d_vocab=1_000_000, d_vocab_out=1_000_000)
    assert "parameters" in caught.value.why


@pytest.mark.parametrize("name", ["later_release", "use_qk_norm"])
@pytest.mark.parametrize("off", [False, None, -1, -1.0, 0])
def test_an_unknown_field_that_is_off_changes_nothing(name: str, off: object) -> None:
    assert config(**{name: off}) == config()
