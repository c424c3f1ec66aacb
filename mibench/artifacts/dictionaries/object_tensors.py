"""The arrays of an SAE object, and the rules that its attributes allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import refuse
from mibench.artifacts.dictionaries.dictionary import Activation, Array, Rule
from mibench.artifacts.dictionaries.object_config import ObjectConfig

_GATED = {"b_gate": ("b_gate", "gate_bias"), "r_mag": ("r_mag",), "b_mag": ("b_mag", "mag_bias")}
_LOW_PRECISION = ("float16", "bfloat16")


def candidates(obj: Any, cfg: ObjectConfig) -> Iterator[tuple[Rule, Mapping[str, Array]]]:
    """Yield what the object may compute, the likelier first.

    Raises:
        ArtifactError: A tensor is missing or is no array.
    """
    family, shared = cfg.family, _shared(obj)
    square = shared["w_enc"].shape[0] == shared["b_dec"].size
    stated = cfg.pre_bias
    # A transcoder never subtracts: the bias belongs to another place.
    biases = (stated,) if stated is not None else (family.pre_bias and square, not family.pre_bias and square)
    k = cfg.k if cfg.k is not None else cfg.whole(getattr(obj, "k", None))
    for activation, pre_bias, skip in product(family.activations, dict.fromkeys(biases), _skips(obj, shared)):
        own = _own(obj, activation, shared["w_enc"].shape[1], signed=family.architecture == "jumprelu")
        if own is None or (activation == "topk" and k is None):
            continue
        rule = Rule(activation, pre_bias=pre_bias, k=k if activation == "topk" else None, scaling=cfg.scaling)
        yield rule, {**shared, **own, **skip}


def _shared(obj: Any) -> dict[str, Array]:
    tensors = {"w_enc": _array(obj, "W_enc"), "w_dec": _array(obj, "W_dec"), "b_dec": _array(obj, "b_dec")}
    w_enc, n_latents = tensors["w_enc"], len(tensors["w_dec"])
    if w_enc.ndim == 2 and w_enc.shape[1] != n_latents == w_enc.shape[0]:
        raise refuse(f"W_enc is {list(w_enc.shape)}: [d_sae, d_in].", "Hand in its transpose, [d_in, d_sae].")
    if w_enc.ndim != 2 or tensors["b_dec"].ndim != 1:
        raise refuse(
            f"W_enc has {w_enc.ndim} dimensions, b_dec {tensors['b_dec'].ndim}.", "Give a matrix and a vector."
        )
    return tensors


def _own(obj: Any, activation: Activation, d_sae: int, *, signed: bool) -> dict[str, Array] | None:
    """The tensors of one activation; None where the object has not what it needs."""
    if activation == "gated":
        return {name: _array(obj, *names) for name, names in _GATED.items()}
    bias = _array(obj, "b_enc") if hasattr(obj, "b_enc") else np.zeros(d_sae, np.float32)
    if activation != "jumprelu":
        return {"b_enc": bias}
    if getattr(obj, "threshold", None) is None:
        return None
    threshold = _array(obj, "threshold")
    # TopK objects hold -1 where no threshold was ever set.
    if not signed and threshold.size and threshold.min() < 0:
        return None
    return {"b_enc": bias, "threshold": np.full(d_sae, threshold, np.float32) if threshold.ndim == 0 else threshold}


def _skips(obj: Any, shared: Mapping[str, Array]) -> list[dict[str, Array]]:
    """``w_skip`` as it may be meant: ``[d_out, d_in]`` as SAELens has it, or ``[d_in, d_out]``."""
    if getattr(obj, "W_skip", None) is None:
        return [{}]
    skip, shape = _array(obj, "W_skip"), (shared["w_enc"].shape[0], shared["b_dec"].size)
    ways = [np.ascontiguousarray(skip.T), skip]
    fitting = [{"w_skip": way} for way in ways if way.shape == shape]
    if not fitting:
        raise refuse(f"W_skip has shape {list(skip.shape)[:4]}.", "Give [d_out, d_in].")
    return fitting


def _array(obj: Any, *names: str) -> Array:
    """The first of these attributes that the object has, as a new float32 array."""
    value = next((found for name in names if (found := getattr(obj, name, None)) is not None), None)
    if value is None:
        raise refuse(f"The object has no {' or '.join(names)}.", "Give it, or fix cfg.architecture.")
    if str(getattr(value, "dtype", "")).removeprefix("torch.") in _LOW_PRECISION:
        raise refuse(f"{names[0]} is in {value.dtype}.", "Call .to(dtype=torch.float32) first: it changes no weight.")
    try:
        value = value.detach().cpu() if hasattr(value, "detach") else value
        return np.array(value, dtype=np.float32, order="C")
    except (RuntimeError, TypeError, ValueError) as error:
        raise refuse(f"{names[0]} is {brief(value)}: {error!s:.100}", "Give a tensor or an array.") from error
