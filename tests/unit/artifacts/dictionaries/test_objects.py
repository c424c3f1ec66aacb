"""SAE objects by SAEBench's contract: what they compute is taken over, and whatever else they compute is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from dictionary_examples import SCALINGS, example

from mibench.artifacts.dictionaries import formula
from mibench.artifacts.dictionaries.dictionary import Place
from mibench.artifacts.dictionaries.objects import from_object
from mibench.core.errors import ArtifactError
from mibench.core.hook_points import HookKind, HookPoint

NAMES = {
    "relu": ("standard", "relu"),
    "p-anneal": ("p_anneal",),
    "topk": ("topk",),
    "batchtopk": ("batch_topk", "batchtopk"),
    "matryoshka": ("matryoshka_batch_topk", "matryoshka_batchtopk"),
    "jumprelu": ("jumprelu",),
    "gated": ("gated",),
    "identity": ("identity",),
    "pca": ("pca",),
}
HOOK = "blocks.1.hook_resid_post"


class Sae(torch.nn.Module):
    """An SAE as users write them: it computes with torch what its attributes say."""

    def __init__(self, dictionary, *, dtype=torch.float32, **cfg):
        super().__init__()
        self.rule = dictionary.rule
        names = {"w_enc": "W_enc", "w_dec": "W_dec"}
        for name, array in dictionary.tensors.items():
            if name != "w_skip":
                self.register_parameter(names.get(name, name), torch.nn.Parameter(torch.tensor(array, dtype=dtype)))
        if "w_skip" in dictionary.tensors:
            self.W_skip = torch.nn.Parameter(torch.tensor(dictionary.tensors["w_skip"].T.copy()))
        stated = {"architecture": NAMES.get(dictionary.architecture, ("",))[0], "hook_name": HOOK, "model_name": "tiny"}
        self.cfg = SimpleNamespace(**{**stated, **cfg})

    def encode(self, x):
        if self.rule.scaling == "layer-norm":
            self.mean, centred = x.mean(-1, keepdim=True), x - x.mean(-1, keepdim=True)
            self.std = centred.std(-1, keepdim=True)
            x = centred / (self.std + 1e-5)
        pi = (x - self.b_dec if self.rule.pre_bias else x) @ self.W_enc
        if self.rule.activation == "gated":
            return (pi + self.b_gate > 0) * torch.relu(torch.exp(self.r_mag) * pi + self.b_mag)
        p = pi + self.b_enc
        if self.rule.activation == "linear":
            return p
        if self.rule.activation == "jumprelu":
            return torch.relu(p) * (p > self.threshold)
        if self.rule.activation == "topk":
            top = torch.relu(p).topk(self.rule.k, dim=-1, sorted=False)
            return torch.zeros_like(p).scatter_(-1, top.indices, top.values)
        return torch.relu(p)

    def decode(self, f):
        written = f @ self.W_dec + self.b_dec
        return written * self.std + self.mean if self.rule.scaling == "layer-norm" else written

    def forward(self, x):
        skip = x @ self.W_skip.T if hasattr(self, "W_skip") else 0
        return self.decode(self.encode(x)) + skip


def agrees(found, wanted):
    assert set(found.tensors) == set(wanted.tensors)
    for name, array in found.tensors.items():
        np.testing.assert_array_equal(array, wanted.tensors[name])
    assert found.rule == wanted.rule


@pytest.mark.parametrize(("architecture", "name"), [(one, name) for one in NAMES for name in NAMES[one]])
def test_every_architecture_is_taken_over(architecture, name):
    wanted = example(architecture)
    k = {"activation_fn_kwargs": {"k": wanted.rule.k}} if wanted.rule.k else {}
    found = from_object(Sae(wanted, **{"architecture": name, **k}))
    if architecture != "identity":
        agrees(found, wanted)
    assert found.digest == wanted.digest
    assert found.architecture == architecture
    assert found.place == Place("tiny", HookPoint(1))
    assert found.meta == {"object": "Sae"}


@pytest.mark.parametrize("pre_bias", [True, False])
@pytest.mark.parametrize("activation", ["relu", "jumprelu", "gated"])
def test_the_object_shows_whether_it_subtracts_its_bias(activation, pre_bias):
    wanted = example(activation, pre_bias=pre_bias)
    for stated in ({}, {"apply_b_dec_to_input": None}, {"apply_b_dec_to_input": pre_bias}):
        agrees(from_object(Sae(wanted, **stated)), wanted)
    with pytest.raises(ArtifactError, match=r"encode\(\) differs by .* b_dec from the input"):
        from_object(Sae(wanted, apply_b_dec_to_input=not pre_bias))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_scaling_is_read_from_the_configuration(scaling):
    name = {"none": None, "constant": "expected_average_only_in", "layer-norm": "layer_norm"}[scaling]
    wanted = example("relu", scaling=scaling)
    if scaling == "constant":
        with pytest.raises(ArtifactError, match="normalize_activations is 'expected_average_only_in'"):
            from_object(Sae(wanted, normalize_activations=name))
        return
    agrees(from_object(Sae(wanted, normalize_activations=name)), wanted)


def test_topk_with_a_threshold_is_what_it_computes():
    """A TopK object may hold a threshold that it does not use, or use it instead of k."""
    topk, jump = example("topk"), example("batchtopk")
    unused = Sae(topk, k=3)
    unused.threshold = torch.tensor(-1.0)
    agrees(from_object(unused), topk)
    unused.threshold = torch.tensor(0.3)
    agrees(from_object(unused), topk)
    used = Sae(jump, architecture="topk", k=3)
    used.threshold = torch.nn.Parameter(torch.tensor(0.3))
    found = from_object(used)
    assert found.rule.activation == "jumprelu"
    np.testing.assert_array_equal(found.tensors["threshold"], np.full(24, 0.3, np.float32))
    used.threshold = torch.nn.Parameter(torch.tensor(-1.0))
    with pytest.raises(ArtifactError, match="fire on one side only"):
        from_object(used)


def test_a_batch_wide_choice_of_latents_is_refused():
    class Batch(Sae):
        def encode(self, x):
            p = torch.relu((x - self.b_dec) @ self.W_enc + self.b_enc)
            return p * (p >= p.flatten().topk(3 * len(x)).values[-1])

    with pytest.raises(ArtifactError, match=r"encode\(\) differs"):
        from_object(Batch(example("topk"), architecture="batch_topk", k=3))


@pytest.mark.parametrize("turned", ["W_enc", "W_dec"])
def test_a_square_matrix_in_the_wrong_way_round_is_found(turned):
    obj = Sae(example("relu", d_in=12, d_sae=12))
    right = getattr(obj, turned)
    obj.cfg.apply_b_dec_to_input = True
    proxy = SimpleNamespace(**{name: getattr(obj, name) for name in ("W_enc", "W_dec", "b_enc", "b_dec", "cfg")})
    proxy.encode, proxy.decode = obj.encode, obj.decode
    assert from_object(proxy).d_sae == 12
    setattr(proxy, turned, right.T)
    with pytest.raises(ArtifactError, match=f"It seems that {turned} is transposed"):
        from_object(proxy)


def test_other_matrices_in_the_wrong_way_round_are_named():
    obj = Sae(example("relu"))
    obj.W_enc = torch.nn.Parameter(obj.W_enc.T.contiguous())
    with pytest.raises(ArtifactError, match=r"W_enc is \[24, 12\]: \[d_sae, d_in\]"):
        from_object(obj)


def test_a_missing_output_bias_is_found():
    class Unbiased(Sae):
        def decode(self, f):
            return f @ self.W_dec

    with pytest.raises(ArtifactError, match=r"decode\(\) differs by"):
        from_object(Unbiased(example("relu")))


def test_a_forward_that_does_something_else_is_found():
    class Rescaled(Sae):
        def forward(self, x):
            return 1.01 * super().forward(x)

    with pytest.raises(ArtifactError, match=r"forward\(\) differs by"):
        from_object(Rescaled(example("relu")))


def test_another_nonlinearity_is_refused():
    class Gelu(Sae):
        def encode(self, x):
            return torch.nn.functional.gelu((x - self.b_dec) @ self.W_enc + self.b_enc)

    with pytest.raises(ArtifactError, match="It was taken for relu, pre_bias True, scaling none"):
        from_object(Gelu(example("relu")))


def test_a_function_that_fails_is_named():
    class Broken(Sae):
        def decode(self, f):
            raise RuntimeError("no decoder today")

    with pytest.raises(ArtifactError, match=r"decode\(\) fails: RuntimeError: no decoder today"):
        from_object(Broken(example("relu")))


@pytest.mark.parametrize("skip", [True, False])
def test_transcoders_are_taken_over(skip):
    wanted = example("relu", d_out=7, skip=skip)
    names = {"hook_name": "blocks.1.ln2.hook_normalized", "hook_name_out": "blocks.1.hook_mlp_out"}
    found = from_object(Sae(wanted, architecture="skip_transcoder" if skip else "transcoder", **names))
    agrees(found, wanted)
    assert found.place.hook == HookPoint(1, HookKind.MLP_NORMALISED)
    assert found.place.target == HookPoint(1, HookKind.MLP_OUT)
    square = example("relu", d_out=12, skip=True)
    agrees(from_object(Sae(square, architecture="skip_transcoder", **names)), square)


def test_double_precision_and_arrays_will_do_and_half_precision_will_not():
    agrees(from_object(Sae(example("gated"), dtype=torch.float64)), example("gated"))
    with pytest.raises(ArtifactError, match=r"W_enc is in torch.bfloat16"):
        from_object(Sae(example("relu"), dtype=torch.bfloat16))


def test_saelens_configurations_are_read():
    """Since v6 the architecture is a method, and where it reads is in the metadata."""
    metadata = SimpleNamespace(
        hook_name=HOOK,
        model_name="gpt2",
        prepend_bos=True,
        context_size=128,
        dataset_path="corpus",
        model_from_pretrained_kwargs={"center_writing_weights": True, "dtype": torch.float32},
    )
    obj = Sae(example("topk"))
    obj.cfg = SimpleNamespace(architecture=lambda: "topk", k=3, apply_b_dec_to_input=True, metadata=metadata, d_in=12)
    found = from_object(obj)
    assert found.place == Place("gpt2", HookPoint(1))
    assert (found.training.corpus, found.training.context, found.training.bos) == ("corpus", 128, True)
    kwargs = {"center_writing_weights": True, "dtype": "torch.float32"}
    assert found.meta == {"object": "Sae", "model_from_pretrained_kwargs": kwargs}
    obj.cfg = {"architecture": "standard", "activation_fn_str": "topk", "k": 3, "hook_name": HOOK}
    assert from_object(obj).architecture == "topk"


def test_where_it_reads_may_be_given():
    place = Place("mine", HookPoint(3, HookKind.HEADS))
    assert from_object(Sae(example("relu"), hook_name=""), place=place).place == place


@pytest.mark.parametrize(
    ("cfg", "why"),
    [
        ({"architecture": "temporal"}, "architecture is 'temporal'"),
        ({"architecture": ""}, "architecture is ''"),
        ({"hook_name": None}, "hook_name is missing"),
        ({"hook_name": "blocks.1.hook_mlp_in"}, "not the name of a hook point"),
        ({"hook_name_out": "nowhere"}, "cfg.hook_name_out"),
        ({"hook_layer": 2}, "hook_layer is 2"),
        ({"hook_head_index": 0}, "hook_head_index is 0"),
        ({"d_sae": 25}, "d_sae is 25, and its weights have 24"),
        ({"normalize_activations": "constant_norm_rescale"}, "constant_norm_rescale"),
        ({"model_from_pretrained_kwargs": {"a": "x" * 5000}}, "model_from_pretrained_kwargs"),
        ({"model_from_pretrained_kwargs": 3}, "model_from_pretrained_kwargs is 3"),
        ({"architecture": "topk"}, "neither k nor a threshold"),
        ({"architecture": "gated"}, "no b_gate or gate_bias"),
        ({"architecture": "topk", "k": 40}, "keeps 40 of 24"),
    ],
)
def test_configurations_that_cannot_be_used_are_refused(cfg, why):
    with pytest.raises(ArtifactError, match=why):
        from_object(Sae(example("relu"), **cfg))


def test_objects_without_the_contract_are_refused():
    with pytest.raises(ArtifactError, match="no W_enc, W_dec, b_dec, encode, decode, cfg"):
        from_object(object())
    odd = Sae(example("relu"))
    del odd.W_dec
    odd.W_dec = "weights"
    with pytest.raises(ArtifactError, match="W_dec is 'weights'"):
        from_object(odd)


def test_an_object_with_large_thresholds_is_checked_where_latents_fire():
    """Biases far below 0 silence unit activations; other sizes are tried, so that a wrong formula still shows."""
    wanted = example("relu", pre_bias=False)
    wanted.tensors["b_enc"][:] = -40
    found = from_object(Sae(wanted))
    assert (formula.encode(found, np.zeros((1, 12), np.float32)) == 0).all()
    with pytest.raises(ArtifactError, match="encode"):
        from_object(Sae(wanted, apply_b_dec_to_input=True))


def test_it_is_not_changed():
    obj = Sae(example("topk"), k=3)
    before = {name: one.clone() for name, one in obj.state_dict().items()}
    state = torch.random.get_rng_state()
    found = from_object(obj)
    found.tensors["w_enc"][:] = 0
    assert all(torch.equal(one, before[name]) for name, one in obj.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)
