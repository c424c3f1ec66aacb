"""The logits of a TransformerLens model, plainly and in float64: what a conversion must give again."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mibench.models.interpbench.config import LensConfig
from mibench.models.interpbench.state import Weights

Floats = NDArray[np.float64]


def lens_logits(config: LensConfig, weights: Weights, ids: NDArray[np.int64]) -> Floats:
    """Return the logits ``[pos, d_vocab]`` of one prompt.

    Args:
        config: Sizes of the model.
        weights: Its weights, by their names in TransformerLens.
        ids: Token ids ``[pos]``.
    """
    exact = {name: value.astype(np.float64) for name, value in weights.items()}
    residual = exact["embed.W_E"][ids] + exact["pos_embed.W_pos"][: len(ids)]
    for layer in range(config.n_layers):
        prefix = f"blocks.{layer}."
        block = {name[len(prefix) :]: value for name, value in exact.items() if name.startswith(prefix)}
        residual = residual + _attention(config, block, layer, _norm(config, block, "ln1", residual))
        hidden = _norm(config, block, "ln2", residual) @ block["mlp.W_in"] + block["mlp.b_in"]
        residual = residual + activation(config.act_fn, hidden) @ block["mlp.W_out"] + block["mlp.b_out"]
    return _norm(config, exact, "ln_final", residual) @ exact["unembed.W_U"] + exact["unembed.b_U"]


def activation(name: str, x: Floats) -> Floats:
    """Return the activation ``name`` of ``x``."""
    from scipy.special import erf, expit

    if name == "relu":
        return np.maximum(x, 0.0)
    if name == "silu":
        return np.asarray(x * expit(x))
    if name == "gelu":
        return np.asarray(0.5 * x * (1.0 + erf(x / math.sqrt(2.0))))
    return np.asarray(0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3))))


def _norm(config: LensConfig, weights: dict[str, Floats], name: str, x: Floats) -> Floats:
    centred = x - x.mean(axis=-1, keepdims=True)
    normalised: Floats = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + config.eps)
    return normalised if config.folded_norm else normalised * weights[f"{name}.w"] + weights[f"{name}.b"]


def _attention(config: LensConfig, block: dict[str, Floats], layer: int, x: Floats) -> Floats:
    scale = config.attn_scale * (layer + 1 if config.scale_by_layer else 1)
    later = np.triu(np.ones((len(x), len(x)), dtype=bool), k=1)
    total = np.zeros_like(x) + block["attn.b_O"]
    for head in range(config.n_heads):
        q, k, v = (x @ block[f"attn.W_{slot}"][head] + block[f"attn.b_{slot}"][head] for slot in "QKV")
        scores = np.where(later, -np.inf, q @ k.T / scale)
        pattern = np.exp(scores - scores.max(axis=-1, keepdims=True))
        total = total + (pattern / pattern.sum(axis=-1, keepdims=True)) @ v @ block["attn.W_O"][head]
    return total
