"""Small random dictionaries of every kind, for tests of the formats they are written in."""

from __future__ import annotations

import numpy as np

from mibench.artifacts.dictionaries.checks import validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule, TrainingFacts
from mibench.core.hook_points import HookKind, HookPoint

D_IN, D_SAE, TOKENS = 8, 24, 32
RESIDUAL = HookPoint(3, HookKind.RESIDUAL_POST)
ACROSS = (HookPoint(3, HookKind.MLP_NORMALISED), HookPoint(3, HookKind.MLP_OUT))


def example(activation, architecture=None, *, pre_bias=True, d_out=None, skip=False, seed=0, **more):
    """A dictionary with random numbers everywhere; with ``d_out`` a transcoder. ``more``: scaling, scale, groups, …"""
    rng = np.random.default_rng(seed)
    width = d_out or D_IN

    def draw(*shape):
        return (0.5 * rng.standard_normal(shape)).astype(np.float32)

    tensors = {"w_enc": draw(D_IN, D_SAE), "w_dec": draw(D_SAE, width), "b_dec": draw(width)}
    if activation == "gated":
        tensors |= {name: draw(D_SAE) for name in ("b_gate", "r_mag", "b_mag")}
    else:
        tensors["b_enc"] = draw(D_SAE)
    if activation == "jumprelu":
        one = architecture in ("batchtopk", "matryoshka")
        tensors["threshold"] = np.full(D_SAE, 0.3, np.float32) if one else np.abs(draw(D_SAE))
    if skip:
        tensors["w_skip"] = draw(D_IN, width)
    hook, output = ACROSS if d_out else (RESIDUAL, None)
    rule = Rule(
        activation, pre_bias, 5 if activation == "topk" else None, more.get("scaling", "none"), more.get("scale", 1.0)
    )
    dictionary = Dictionary(
        Place("gpt2", more.get("hook", hook), output),
        architecture or activation,
        rule,
        tensors,
        TrainingFacts(groups=more.get("groups", ())),
        params=more.get("params", {}),
    )
    validate_dictionary(dictionary)
    return dictionary


def tokens(seed=1):
    return np.random.default_rng(seed).standard_normal((TOKENS, D_IN))


EXAMPLES = {
    "relu": example("relu"),
    "relu without pre_bias": example("relu", pre_bias=False),
    "p-anneal": example("relu", "p-anneal"),
    "frozen decoder": example("topk", "frozen-decoder"),
    "topk": example("topk"),
    "topk without pre_bias": example("topk", pre_bias=False),
    "jumprelu": example("jumprelu", pre_bias=False),
    "jumprelu with pre_bias": example("jumprelu"),
    "batchtopk": example("jumprelu", "batchtopk", params={"k": 5}),
    "matryoshka": example("jumprelu", "matryoshka", params={"k": 5}, groups=(4, 8, 12)),
    "gated": example("gated"),
    "gated without pre_bias": example("gated", pre_bias=False),
    "pca": example("linear", "pca"),
    "constant scaling": example("relu", scaling="constant", scale=0.37),
    "layer-norm scaling": example("relu", scaling="layer-norm"),
    "attention output": example("relu", hook=HookPoint(2, HookKind.ATTN_OUT)),
    "heads": example("relu", hook=HookPoint(2, HookKind.HEADS)),
    "mlp input": example("relu", hook=HookPoint(2, HookKind.MLP_IN)),
    "transcoder": example("relu", pre_bias=False, d_out=6),
    "skip transcoder": example("relu", pre_bias=False, d_out=6, skip=True),
    "jumprelu transcoder": example("jumprelu", pre_bias=False, d_out=6),
    "topk transcoder": example("topk", pre_bias=False, d_out=8),
    "topk skip transcoder": example("topk", pre_bias=False, d_out=8, skip=True),
    "skip": example("relu", pre_bias=False, skip=True),
}
