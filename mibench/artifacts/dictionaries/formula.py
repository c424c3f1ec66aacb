"""What a dictionary computes, in numpy: plain formulas, for checks and comparisons."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.dictionaries.dictionary import Dictionary

Floats = NDArray[np.floating[Any]]

EPSILON = 1e-5
"""Added to the standard deviation that layer-norm scaling divides by, and not to the one it multiplies by, as SAELens
does; the deviation is the sample's, over ``d_in − 1``."""


def scaled(dictionary: Dictionary, x: Floats) -> tuple[Floats, Floats, Floats]:
    """``x`` as the encoder gets it, and what undoes this: ``y · factor + shift``.

    Returns:
        ``[tokens, d_in]``, ``[tokens, 1]``, ``[tokens, 1]``.
    """
    rule = dictionary.rule
    one = np.ones((len(x), 1), x.dtype)
    if rule.scaling == "constant":
        return x * x.dtype.type(rule.scale), one / x.dtype.type(rule.scale), 0 * one
    if rule.scaling == "none":
        return x, one, 0 * one
    mean = x.mean(axis=-1, keepdims=True)
    std = x.std(axis=-1, keepdims=True, ddof=1)
    return (x - mean) / (std + x.dtype.type(EPSILON)), std, mean


def encode(dictionary: Dictionary, x: Floats) -> Floats:
    """Latents ``[tokens, d_sae]`` of ``[tokens, d_in]``, in the dictionary's own units and the type of ``x``."""
    rule, tensors = dictionary.rule, {name: one.astype(x.dtype) for name, one in dictionary.tensors.items()}
    inputs, _, _ = scaled(dictionary, x)
    projected = (inputs - tensors["b_dec"] if rule.pre_bias else inputs) @ tensors["w_enc"]
    if rule.activation == "gated":
        magnitude = np.exp(tensors["r_mag"]) * projected + tensors["b_mag"]
        return np.where(projected + tensors["b_gate"] > 0, np.maximum(magnitude, 0), 0)
    before = projected + tensors["b_enc"]
    if rule.activation == "linear":
        return before
    active = np.maximum(before, 0)
    if rule.activation == "jumprelu":
        return np.where(before > tensors["threshold"], active, 0)
    return active if rule.k is None else _largest(active, rule.k)


def _largest(active: Floats, k: int) -> Floats:
    order = np.argsort(-active, axis=-1, kind="stable")[:, :k]
    kept = np.zeros_like(active)
    np.put_along_axis(kept, order, np.take_along_axis(active, order, axis=-1), axis=-1)
    return kept


def decode(dictionary: Dictionary, latents: Floats, x: Floats) -> Floats:
    """Reconstruction ``[tokens, d_out]`` of latents in the dictionary's own units; ``x`` is what was encoded."""
    tensors = dictionary.tensors
    inputs, factor, shift = scaled(dictionary, x)
    written = latents @ tensors["w_dec"].astype(x.dtype) + tensors["b_dec"].astype(x.dtype)
    if "w_skip" in tensors:
        written = written + inputs @ tensors["w_skip"].astype(x.dtype)
    return written * factor + shift


def reconstruct(dictionary: Dictionary, x: Floats) -> Floats:
    """Reconstruction ``[tokens, d_out]`` of ``[tokens, d_in]``, in the type of ``x``."""
    return decode(dictionary, encode(dictionary, x), x)
