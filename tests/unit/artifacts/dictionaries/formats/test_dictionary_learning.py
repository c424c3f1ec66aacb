from __future__ import annotations

import json
from collections import OrderedDict

import numpy as np
import pytest
import torch

from mibench.artifacts.dictionary_files import load_dictionary
from mibench.core.errors import ArtifactError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.dictionaries.coder import Coder

D_IN, D_SAE = 8, 24
PLACE = {"layer": 3, "lm_name": "EleutherAI/pythia-70m-deduped"}


def drawn(**shapes):
    generator = torch.Generator().manual_seed(5)
    return OrderedDict(
        (name.replace("__", "."), 0.5 * torch.randn(shape, generator=generator)) for name, shape in shapes.items()
    )


LINEAR = {"encoder__weight": (D_SAE, D_IN), "encoder__bias": (D_SAE,), "decoder__weight": (D_IN, D_SAE)}
DIRECT = {"W_enc": (D_IN, D_SAE), "b_enc": (D_SAE,), "W_dec": (D_SAE, D_IN), "b_dec": (D_IN,)}
K, THRESHOLD = torch.tensor(5, dtype=torch.int), torch.tensor(0.4)


def topk(state, x):
    p = torch.relu((x - state["b_dec"]) @ state["encoder.weight"].T + state["encoder.bias"])
    values, indices = p.topk(5, dim=-1)
    return torch.zeros_like(p).scatter(-1, indices, values)


def batchtopk(state, x):
    p = torch.relu((x - state["b_dec"]) @ state["encoder.weight"].T + state["encoder.bias"])
    return p * (p > state["threshold"])


def matryoshka(state, x):
    p = torch.relu((x - state["b_dec"]) @ state["W_enc"] + state["b_enc"])
    return p * (p > state["threshold"])


def jumprelu(state, x):
    p = x @ state["W_enc"] + state["b_enc"]
    return torch.relu(p * (p > state["threshold"]))


def gated(state, x):
    p = (x - state["decoder_bias"]) @ state["encoder.weight"].T
    return (p + state["gate_bias"] > 0) * torch.relu(state["r_mag"].exp() * p + state["mag_bias"])


CLASSES = {
    "AutoEncoder": (
        drawn(bias=(D_IN,), **LINEAR),
        lambda s, x: torch.relu((x - s["bias"]) @ s["encoder.weight"].T + s["encoder.bias"]),
        "bias",
        ("relu", "relu"),
    ),
    "AutoEncoderNew": (
        drawn(decoder__bias=(D_IN,), **LINEAR),
        lambda s, x: torch.relu(x @ s["encoder.weight"].T + s["encoder.bias"]),
        "decoder.bias",
        ("relu", "relu"),
    ),
    "AutoEncoderTopK": (
        drawn(b_dec=(D_IN,), **LINEAR) | {"k": K, "threshold": THRESHOLD},
        topk,
        "b_dec",
        ("topk", "topk"),
    ),
    "BatchTopKSAE": (
        drawn(b_dec=(D_IN,), **LINEAR) | {"k": K, "threshold": THRESHOLD},
        batchtopk,
        "b_dec",
        ("batchtopk", "jumprelu"),
    ),
    "MatryoshkaBatchTopKSAE": (
        drawn(**DIRECT) | {"k": K, "threshold": THRESHOLD, "group_sizes": torch.tensor([4, 8, 12])},
        matryoshka,
        "b_dec",
        ("matryoshka", "jumprelu"),
    ),
    "JumpReluAutoEncoder": (drawn(threshold=(D_SAE,), **DIRECT), jumprelu, "b_dec", ("jumprelu", "jumprelu")),
    "GatedAutoEncoder": (
        drawn(
            encoder__weight=(D_SAE, D_IN),
            decoder__weight=(D_IN, D_SAE),
            decoder_bias=(D_IN,),
            r_mag=(D_SAE,),
            gate_bias=(D_SAE,),
            mag_bias=(D_SAE,),
        ),
        gated,
        "decoder_bias",
        ("gated", "gated"),
    ),
}


@pytest.fixture
def written(tmp_path):
    """``written(name, trainer, state, buffer)``: a folder of the class ``name``, changed."""

    def make(name, trainer=None, state=None, buffer=None):
        folder = tmp_path / "ae"
        folder.mkdir()
        torch.save(OrderedDict({**CLASSES[name][0], **(state or {})}), folder / "ae.pt")
        said = {"dict_class": name, "activation_dim": D_IN, "dict_size": D_SAE, **PLACE, **(trainer or {})}
        config = {"trainer": said, "buffer": buffer or {"ctx_len": 128}}
        (folder / "config.json").write_text(json.dumps(config))
        return folder

    return make


@pytest.mark.parametrize("name", CLASSES)
def test_it_computes_what_the_class_computes(name, written):
    state, encode, bias, (architecture, activation) = CLASSES[name]
    dictionary = load_dictionary(written(name))
    x = torch.randn(32, D_IN, generator=torch.Generator().manual_seed(2))
    latents = encode(state, x)
    rows = state["W_dec"] if "W_dec" in state else state["decoder.weight"].T
    coder = Coder(dictionary, device=torch.device("cpu"), dtype=torch.float32)
    assert (dictionary.architecture, dictionary.rule.activation) == (architecture, activation)
    assert torch.allclose(coder.encode(x), latents * rows.norm(dim=1), atol=1e-5)
    assert torch.allclose(coder.reconstruct(x), latents @ rows + state[bias], atol=1e-5)
    assert 0.05 < (latents != 0).float().mean() < 0.95


def test_it_says_what_it_is(written):
    dictionary = load_dictionary(written("MatryoshkaBatchTopKSAE", {"seed": 3}))
    assert dictionary.place.model == "EleutherAI/pythia-70m-deduped"
    assert dictionary.place.hook == HookPoint(3, HookKind.RESIDUAL_POST)
    assert dictionary.training.groups == (4, 8, 12)
    assert (dictionary.training.context, dictionary.training.seed) == (128, 3)
    assert dictionary.params == {"k": 5}


@pytest.mark.parametrize(
    ("trainer", "buffer", "kind"),
    [
        ({"submodule_name": "resid_post_layer_3"}, {}, HookKind.RESIDUAL_POST),
        ({"submodule_name": "mlp_out_layer_3"}, {}, HookKind.MLP_OUT),
        ({"submodule_name": "attn_out_layer_3"}, {}, HookKind.ATTN_OUT),
        ({}, {"io": "in"}, HookKind.RESIDUAL_PRE),
    ],
)
def test_the_submodule_says_the_place(written, trainer, buffer, kind):
    assert load_dictionary(written("AutoEncoder", trainer, buffer=buffer)).place.hook == HookPoint(3, kind)


def test_a_trainer_without_a_class_names_one(written):
    folder = written("AutoEncoderNew", {"dict_class": None, "trainer_class": "StandardTrainerAprilUpdate"})
    assert load_dictionary(folder).rule.pre_bias is False
    assert load_dictionary(folder, hook="mlp-out.L3").place.hook.kind is HookKind.MLP_OUT


@pytest.mark.parametrize("name", ["AutoEncoder", "AutoEncoderNew"])
def test_p_anneal_is_known_by_its_trainer_and_the_bias_by_its_tensors(name, written):
    dictionary = load_dictionary(written(name, {"trainer_class": "PAnnealTrainer", "dict_class": None}))
    assert (dictionary.architecture, dictionary.rule.pre_bias) == ("p-anneal", name == "AutoEncoder")


def test_a_threshold_that_was_never_set_lets_every_positive_latent_pass(written):
    folder = written("BatchTopKSAE", state={"threshold": torch.tensor(-1.0)})
    assert not load_dictionary(folder).tensors["threshold"].any()


@pytest.mark.parametrize(
    ("name", "trainer", "state", "word"),
    [
        ("AutoEncoder", {"dict_class": "CrossCoder"}, {}, "CrossCoder"),
        ("AutoEncoder", {"dict_class": None}, {}, "names no class"),
        ("AutoEncoder", {"trainer_class": "TopKTrainer"}, {}, "TopKTrainer"),
        ("AutoEncoder", {"activation_dim": 9}, {}, "activation_dim"),
        ("AutoEncoder", {"dict_size": 9}, {}, "dict_size"),
        ("AutoEncoder", {}, {"jump": torch.zeros(D_SAE)}, "jump"),
        ("AutoEncoder", {"submodule_name": "query"}, {}, "Nothing says where"),
        ("AutoEncoder", {"layer": None}, {}, "Nothing says where"),
        ("AutoEncoderTopK", {"k": 6}, {}, "k is 5"),
        ("AutoEncoderTopK", {}, {"k": torch.tensor([5, 5])}, "'k'"),
        ("AutoEncoderTopK", {}, {"k": torch.tensor(2.5)}, "'k'"),
        ("MatryoshkaBatchTopKSAE", {"group_sizes": [12, 12]}, {}, "group_sizes"),
        ("MatryoshkaBatchTopKSAE", {}, {"group_sizes": torch.tensor([1.5])}, "group_sizes"),
        ("MatryoshkaBatchTopKSAE", {}, {"group_sizes": torch.tensor([4, 8, 99])}, "groups"),
        ("BatchTopKSAE", {}, {"threshold": torch.tensor(float("nan"))}, "threshold"),
        ("JumpReluAutoEncoder", {}, {"threshold": torch.tensor(0.1)}, "threshold"),
        ("AutoEncoder", {}, {"encoder.weight": torch.zeros(D_IN, D_SAE)}, "encoder.weight"),
        ("JumpReluAutoEncoder", {}, {"W_dec": torch.zeros(D_IN, D_SAE)}, "W_dec"),
    ],
)
def test_what_does_not_belong_together_is_refused(written, name, trainer, state, word):
    with pytest.raises(ArtifactError) as caught:
        load_dictionary(written(name, trainer, state))
    assert word in caught.value.why


def test_a_transcoders_buffer_is_refused(written):
    with pytest.raises(ArtifactError, match="cannot be used"):
        load_dictionary(written("AutoEncoder", buffer={"io": "in_and_out"}))


def test_half_precision_is_read_exactly(written):
    state = {name: tensor.bfloat16() for name, tensor in CLASSES["AutoEncoder"][0].items()}
    dictionary = load_dictionary(written("AutoEncoder", state=state))
    assert np.array_equal(dictionary.tensors["w_enc"], state["encoder.weight"].float().numpy().T)
