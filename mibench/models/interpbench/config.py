"""The sizes of a TransformerLens model, where they are those of a GPT-2; everything else is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mibench.core.errors import ModelError
from mibench.models.interpbench.inert import Inert

ACTIVATIONS = ("relu", "gelu", "gelu_new", "silu")
MAX_PARAMETERS = 100_000_000
_MAX_SIZE = 1_000_000
_MAX_CONTEXT = 8192
_NOT_SET = -1
_OFF = (False, None, 0, -1)
_ONLY: Mapping[str, tuple[object, ...]] = {
    "attention_dir": ("causal",),
    "normalization_type": ("LN", "LNPre"),
    "positional_embedding_type": ("standard",),
    "act_fn": ACTIVATIONS,
    "use_attn_scale": (True, False),
    "scale_attn_by_inverse_layer_idx": (True, False),
}
"""Fields of which only some values have a GPT-2."""
_SIZES = ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "d_vocab", "d_vocab_out", "n_ctx")
_READ = frozenset({*_ONLY, *_SIZES, "eps", "attn_scale", "dtype", "n_key_value_heads"})
_NO_EFFECT = frozenset(
    {
        "model_name", "original_architecture", "from_checkpoint", "checkpoint_index", "checkpoint_label_type",
        "checkpoint_value", "tokenizer_name", "window_size", "attn_types", "init_mode", "weight_init_mode", "device",
        "n_devices", "seed", "initializer_range", "init_weights", "rotary_dim", "rotary_base", "rotary_base_local",
        "rotary_adjacent_pairs", "n_params", "use_hook_tokens", "default_prepend_bos", "tokenizer_prepends_bos",
        "use_attn_result", "use_attn_in", "use_split_qkv_input", "use_hook_mlp_in", "ungroup_grouped_query_attention",
        "trust_remote_code", "experts_per_token", "relative_attention_max_distance",
        "relative_attention_num_buckets", "decoder_start_token_id", "tie_word_embeddings", "use_NTK_by_parts_rope",
        "NTK_by_parts_low_freq_factor", "NTK_by_parts_high_freq_factor", "NTK_by_parts_factor",
        "NTK_original_ctx_len",
    }
)  # fmt: skip
"""Fields that change no logit of a model with learned positions, whatever their value."""


@dataclass(frozen=True)
class LensConfig:
    """A TransformerLens model that a GPT-2 can stand for.

    Attributes:
        n_layers: Blocks.
        n_heads: Heads a block.
        d_model: Width of the residual stream.
        d_head: Width of a head.
        d_mlp: Neurons of an MLP.
        d_vocab: Tokens, and logits.
        n_ctx: Positions.
        eps: Added to the variance by the norms.
        act_fn: Activation of the MLPs.
        folded_norm: The norms have no weights and biases of their own (``LNPre``).
        attn_scale: What attention scores are divided by.
        scale_by_layer: They are divided by the number of the layer too, from 1.
    """

    n_layers: int
    n_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    n_ctx: int
    eps: float
    act_fn: str
    folded_norm: bool
    attn_scale: float
    scale_by_layer: bool

    @property
    def n_parameters(self) -> int:
        """Numbers in its weights, norms left out."""
        block = 4 * self.d_model * self.d_model + 2 * self.d_model * self.d_mlp
        return self.n_layers * block + (2 * self.d_vocab + self.n_ctx) * self.d_model


def lens_config(fields: Mapping[str, Any]) -> LensConfig:
    """Return the sizes of a model from the fields of its configuration.

    A field that the pickle does not hold has the value it had before TransformerLens knew it.

    Raises:
        ModelError: A size is missing or out of bounds, or no GPT-2 gives the same logits.
    """
    _check_representable(fields)
    size = {name: _size(fields, name) for name in ("n_layers", "d_model", "d_head", "d_vocab", "n_ctx")}
    heads = _size(fields, "n_heads", size["d_model"] // size["d_head"])
    config = LensConfig(
        **size,
        n_heads=heads,
        d_mlp=_size(fields, "d_mlp", 4 * size["d_model"]),
        eps=_positive(fields.get("eps", 1e-5), "eps"),
        act_fn=str(fields["act_fn"]),
        folded_norm=fields.get("normalization_type", "LN") == "LNPre",
        attn_scale=_attn_scale(fields, size["d_head"]),
        scale_by_layer=bool(fields.get("scale_attn_by_inverse_layer_idx", False)),
    )
    _check_sizes(config, _size(fields, "d_vocab_out", config.d_vocab))
    return config


def not_representable(why: str) -> ModelError:
    """Return the error for a model that no GPT-2 stands for."""
    return ModelError(
        "This TransformerLens model cannot be converted.",
        why=why,
        do="Give a model that has the architecture of GPT-2, or one in transformers format.",
    )


def _check_representable(fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name in _ONLY and not _is_one_of(value, _ONLY[name]):
            raise not_representable(f"Its {name} is {_shown(value)}; GPT-2 has {' or '.join(map(str, _ONLY[name]))}.")
        if name not in _READ | _NO_EFFECT and not _is_one_of(value, _OFF):
            raise not_representable(f"Its {name} is {_shown(value)}, and GPT-2 has nothing for it.")
    if "act_fn" not in fields:
        raise not_representable("Its configuration names no act_fn.")
    dtype = fields.get("dtype")
    if dtype is not None and not (isinstance(dtype, Inert) and dtype.name == "torch float32"):
        raise not_representable(f"It computes in {_shown(dtype)}, not in float32.")
    grouped = fields.get("n_key_value_heads")
    if grouped is not None and grouped != fields.get("n_heads"):
        raise not_representable(f"It has {_shown(grouped)} key and value heads for {_shown(fields.get('n_heads'))}.")


def _check_sizes(config: LensConfig, d_vocab_out: int) -> None:
    if config.n_heads * config.d_head != config.d_model:
        raise not_representable(
            f"Its {config.n_heads} heads of {config.d_head} do not add up to its width, {config.d_model}."
        )
    if d_vocab_out != config.d_vocab:
        raise not_representable(f"It reads {config.d_vocab} tokens and has {d_vocab_out} logits; GPT-2 has as many.")
    if config.n_ctx > _MAX_CONTEXT or config.n_parameters > MAX_PARAMETERS:
        raise not_representable(
            f"It has {config.n_parameters} parameters and {config.n_ctx} positions; "
            f"up to {MAX_PARAMETERS} and {_MAX_CONTEXT} are read."
        )


def _attn_scale(fields: Mapping[str, Any], d_head: int) -> float:
    if not fields.get("use_attn_scale", True):
        return 1.0
    scale = fields.get("attn_scale", _NOT_SET)
    return math.sqrt(d_head) if _is_one_of(scale, (_NOT_SET,)) else _positive(scale, "attn_scale")


def _size(fields: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = fields.get(name)
    unset = value is None or _is_one_of(value, (_NOT_SET,))
    found = default if unset and default is not None else value
    if type(found) is not int or not 1 <= found <= _MAX_SIZE:
        raise not_representable(f"Its {name} is {_shown(found)}, no size between 1 and {_MAX_SIZE}.")
    return found


def _positive(value: object, name: str) -> float:
    if type(value) not in (int, float) or not 0 < value < math.inf:  # type: ignore[operator]
        raise not_representable(f"Its {name} is {_shown(value)}, no positive number.")
    return float(value)  # type: ignore[arg-type]


def _is_one_of(value: object, allowed: tuple[object, ...]) -> bool:
    return isinstance(value, bool | int | float | str | None) and value in allowed


def _shown(value: object) -> str:
    return value.name.replace(" ", ".") if isinstance(value, Inert) else repr(value)[:60]
