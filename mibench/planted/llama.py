"""Planted networks as Llama: rotary positions, RMSNorm, a gated MLP, no biases.

The pairs of a head turn by 0.3ⁱ a word: the first few tell offsets apart, from the ninth on they all but stand still
and hold content.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mibench.planted.attention import HEAD_DIM, N_HEADS, Positions, Rows
from mibench.planted.features import D_MODEL, FloatArray
from mibench.planted.logic import ONE, Head
from mibench.planted.network import D_MLP, NORM, Network

N_POSITIONS = 32
_PAIRS = HEAD_DIM // 2
_TURN = 0.3
_THETA = 5.4e16
"""0.3⁻³², near enough: what turns the first pair by 1 a word, and each further one by 0.3 of the one before."""
_WEIGHTS = (1.75, 1.0, 1.0)
"""Of the pairs that tell offsets; the score one word off is then 0.85 below that at the offset, for weight 1."""
_STILL = 8
_GRAIN = 4096
"""Sines are rounded to so many parts, since their last digit differs between machines."""
_GATE = 1.75
"""silu(1.75 x) / 1.75 is nearly gelu(x)."""


def _rows(head: Head) -> Rows:
    rows = []
    for pair, weight in enumerate(_WEIGHTS if head.offsets else ()):
        turns = [_TURN**pair * offset for offset in head.offsets]
        cos, sin = (sum(_rounded(wave(turn)) for turn in turns) for wave in (math.cos, math.sin))
        size = head.reach * weight
        rows.append((pair, {ONE: size * cos}, {ONE: 1.0}))
        rows.append((pair + _PAIRS, {ONE: -size * sin}, {}))
    return rows


def _rounded(value: float) -> float:
    return round(value * _GRAIN) / _GRAIN


POSITIONS = Positions(features=(), rows=_rows, content=(*range(_STILL, _PAIRS), *range(_PAIRS + _STILL, HEAD_DIM)))


def llama_config(network: Network) -> dict[str, Any]:
    """Return the configuration."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": D_MODEL,
        "intermediate_size": D_MLP,
        "num_attention_heads": N_HEADS,
        "num_key_value_heads": N_HEADS,
        "head_dim": HEAD_DIM,
        "num_hidden_layers": network.logic.n_layers,
        "max_position_embeddings": N_POSITIONS,
        "attention_bias": False,
        "mlp_bias": False,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": _THETA},
        "rope_theta": _THETA,
    }


def llama_tensors(network: Network) -> dict[str, FloatArray]:
    """Return the weights by the names of transformers."""
    found = {
        "model.embed_tokens.weight": network.embed,
        "lm_head.weight": network.unembed,
        "model.norm.weight": np.full(D_MODEL, NORM),
    }
    one = network.features.read({ONE: 1.0})
    for layer in range(network.logic.n_layers):
        name, sharpness = f"model.layers.{layer}", _GATE * network.sharpness[layer]
        found |= {f"{name}.self_attn.{part}_proj.weight": network.attention[part][layer] for part in "qkvo"}
        found |= {
            f"{name}.input_layernorm.weight": np.full(D_MODEL, NORM),
            f"{name}.post_attention_layernorm.weight": np.full(D_MODEL, NORM),
            f"{name}.mlp.gate_proj.weight": network.gate[layer] * sharpness[:, None],
            f"{name}.mlp.up_proj.weight": one / sharpness[:, None],
            f"{name}.mlp.down_proj.weight": network.back[layer],
        }
    return found
