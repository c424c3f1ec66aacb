"""Planted networks as GPT-2: learned position embeddings, LayerNorm, ``gelu_new``."""

from __future__ import annotations

from typing import Any

import numpy as np

from mibench.planted.attention import N_HEADS, Positions, Rows
from mibench.planted.features import D_MODEL, FloatArray
from mibench.planted.logic import Head
from mibench.planted.network import D_MLP, NORM, Network

N_POSITIONS = 32


def _rows(head: Head) -> Rows:
    """One dimension for each position of the query: keys that are an offset before it have it too."""
    if not head.offsets:
        return []
    before = {at: [at - offset for offset in head.offsets if at >= offset] for at in range(N_POSITIONS)}
    return [(at, {f"pos:{at}": head.reach}, {f"pos:{key}": 1.0 for key in keys}) for at, keys in before.items() if keys]


POSITIONS = Positions(
    features=tuple(f"pos:{place}" for place in range(N_POSITIONS)),
    rows=_rows,
    content=tuple(range(N_POSITIONS, 64)),
)


def gpt2_config(network: Network) -> dict[str, Any]:
    """Return the configuration."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "n_embd": D_MODEL,
        "n_head": N_HEADS,
        "n_inner": D_MLP,
        "n_layer": network.logic.n_layers,
        "n_positions": N_POSITIONS,
        "attn_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "resid_pdrop": 0.0,
        "layer_norm_epsilon": 1e-5,
    }


def gpt2_tensors(network: Network) -> dict[str, FloatArray]:
    """Return the weights by the names of transformers."""
    places = [network.features.write({name: 1.0}) for name in POSITIONS.features]
    found = {
        "transformer.wte.weight": network.embed,
        "transformer.wpe.weight": np.stack(places),
        "lm_head.weight": network.unembed,
        **_norm("transformer.ln_f"),
    }
    for layer in range(network.logic.n_layers):
        name = f"transformer.h.{layer}"
        qkv = np.concatenate([network.attention[part][layer] for part in "qkv"])
        sharpness = network.sharpness[layer]
        found |= _norm(f"{name}.ln_1") | _norm(f"{name}.ln_2")
        found |= _linear(f"{name}.attn.c_attn", qkv) | _linear(f"{name}.attn.c_proj", network.attention["o"][layer])
        found |= _linear(f"{name}.mlp.c_fc", network.gate[layer] * sharpness[:, None])
        found |= _linear(f"{name}.mlp.c_proj", network.back[layer] / sharpness)
    return found


def _norm(name: str) -> dict[str, FloatArray]:
    return {f"{name}.weight": np.full(D_MODEL, NORM), f"{name}.bias": np.zeros(D_MODEL)}


def _linear(name: str, matrix: FloatArray) -> dict[str, FloatArray]:
    return {f"{name}.weight": matrix.T, f"{name}.bias": np.zeros(len(matrix))}
