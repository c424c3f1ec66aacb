from __future__ import annotations

import numpy as np
import pytest
import torch

from mibench.artifacts.dictionaries.checks import validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule, TrainingFacts
from mibench.core.hook_points import HookPoint
from mibench.engine.dictionaries.coder import Coder
from mibench.tracks.sae.relabelled import relabelled

RULES = {
    "relu": Rule("relu", pre_bias=True),
    "topk": Rule("topk", pre_bias=True, k=3),
    "jumprelu": Rule("jumprelu", pre_bias=False, scaling="constant", scale=2.0),
    "gated": Rule("gated", pre_bias=True),
    "linear": Rule("linear", pre_bias=False),
}


def dictionary(rule):
    generator = np.random.default_rng(0)
    shapes = {"w_enc": (6, 11), "w_dec": (11, 6), "b_dec": (6,)}
    own = {"gated": ("b_gate", "r_mag", "b_mag"), "jumprelu": ("b_enc", "threshold")}.get(rule.activation, ("b_enc",))
    shapes |= dict.fromkeys(own, (11,))
    tensors = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    if "threshold" in tensors:
        tensors["threshold"] = np.abs(tensors["threshold"])
    training = TrainingFacts(groups=(4, 7))
    return Dictionary(Place("", HookPoint(0)), "relu", rule, tensors, training)


def coder(one):
    return Coder(one, device=torch.device("cpu"), dtype=torch.float64)


@pytest.mark.parametrize("name", RULES)
def test_the_same_latents_stand_in_another_order_and_rebuild_the_same(name):
    first = dictionary(RULES[name])
    second = relabelled(first, 1)
    validate_dictionary(second)
    assert second.digest != first.digest
    x = torch.randn(50, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b = coder(first).encode(x), coder(second).encode(x)
    order = np.random.Generator(np.random.PCG64(1)).permutation(11)
    assert torch.allclose(a[:, order], b, rtol=1e-4, atol=1e-5)
    assert torch.allclose(coder(first).reconstruct(x), coder(second).reconstruct(x), rtol=1e-4, atol=1e-4)
    assert (a != 0).any()


def test_prefixes_are_forgotten_and_the_seed_fixes_the_order():
    first = dictionary(RULES["relu"])
    assert relabelled(first, 1).training.groups == ()
    assert relabelled(first, 1).digest == relabelled(first, 1).digest != relabelled(first, 2).digest
