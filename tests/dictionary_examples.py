"""Small random dictionaries of every architecture, rule and scaling."""

from __future__ import annotations

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule, TrainingFacts
from mibench.core.hook_points import HookKind, HookPoint

ACTIVATIONS = {
    "relu": "relu",
    "p-anneal": "relu",
    "topk": "topk",
    "batchtopk": "jumprelu",
    "matryoshka": "jumprelu",
    "jumprelu": "jumprelu",
    "gated": "gated",
    "identity": "linear",
    "pca": "linear",
    "frozen-decoder": "topk",
}
ARCHITECTURES = tuple(ACTIVATIONS)
SCALINGS = ("none", "constant", "layer-norm")
_PRE_BIAS = {"relu", "p-anneal", "topk", "batchtopk", "matryoshka", "gated", "pca", "frozen-decoder"}


def example(
    architecture,
    d_in=12,
    d_sae=24,
    seed=0,
    *,
    d_out=None,
    skip=False,
    scaling="none",
    pre_bias=None,
    activation=None,
    k=3,
    model="tiny",
    layer=1,
    **extra,
) -> Dictionary:
    """A random valid dictionary; about a quarter of its latents fire for activations of unit variance.

    Args:
        d_sae: Not for identity, and at most ``d_in`` for pca.
        d_out: Makes it a transcoder, from the MLP's input to its output.
        skip: Give it ``w_skip``.
        pre_bias: None: as the architecture usually does; a transcoder does not.
        activation: None: the architecture's usual one.
        extra: More fields of ``Dictionary``.
    """
    rng = np.random.default_rng(seed)
    d_sae = {"identity": d_in, "pca": min(d_in, d_sae)}.get(architecture, d_sae)
    activation = activation or ACTIVATIONS[architecture]
    out = d_out or d_in
    tensors = _linear(architecture, rng, d_in) if architecture in {"identity", "pca"} else None
    tensors = tensors or _random(rng, d_in, d_sae, out)
    if d_out is not None and tensors["w_dec"].shape[1] != d_out:
        raise ValueError(f"{architecture} is no transcoder")
    tensors = {name: array[:d_sae] if name == "w_dec" else array for name, array in tensors.items()}
    tensors["w_enc"] = tensors["w_enc"][:, :d_sae]
    tensors |= _of_activation(rng, activation, d_sae)
    if activation == "gated":
        del tensors["b_enc"]
    if skip:
        tensors["w_skip"] = rng.normal(size=(d_in, out)) / np.sqrt(d_in)
    if pre_bias is None:
        pre_bias = architecture in _PRE_BIAS and d_out is None
    rule = Rule(
        activation,
        pre_bias=pre_bias,
        k=min(k, d_sae) if activation == "topk" else None,
        scaling=scaling,
        scale=0.37 if scaling == "constant" else 1.0,
    )
    hook, output = HookPoint(layer), None
    if d_out is not None:
        hook, output = HookPoint(layer, HookKind.MLP_IN), HookPoint(layer, HookKind.MLP_OUT)
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in tensors.items()}
    if architecture == "matryoshka":
        first = max(1, d_sae // 3)
        extra.setdefault("training", TrainingFacts(groups=(first, d_sae - first) if d_sae > first else (d_sae,)))
    return Dictionary(Place(model, hook, output), architecture, rule, arrays, **extra)


def _random(rng, d_in, d_sae, d_out):
    return {
        "w_enc": rng.normal(size=(d_in, d_sae)) / np.sqrt(d_in),
        "b_enc": rng.normal(size=d_sae) / 4 - 0.5,
        # Rows of many lengths, so that nothing is right by chance that takes them for unit vectors.
        "w_dec": rng.normal(size=(d_sae, d_out)) * np.exp(rng.normal(size=(d_sae, 1))) / np.sqrt(d_out),
        "b_dec": rng.normal(size=d_out) / 4,
    }


def _linear(architecture, rng, d_in):
    turn = np.eye(d_in) if architecture == "identity" else np.linalg.qr(rng.normal(size=(d_in, d_in)))[0]
    b_dec = np.zeros(d_in) if architecture == "identity" else rng.normal(size=d_in)
    return {"w_enc": turn, "b_enc": np.zeros(d_in), "w_dec": turn.T, "b_dec": b_dec}


def _of_activation(rng, activation, d_sae):
    if activation == "jumprelu":
        return {"threshold": rng.uniform(0, 0.5, d_sae)}
    if activation == "gated":
        return {
            "b_gate": rng.normal(size=d_sae) / 4 - 0.5,
            "r_mag": rng.normal(size=d_sae) / 2,
            "b_mag": rng.normal(size=d_sae) / 4,
        }
    return {}
