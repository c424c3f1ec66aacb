from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from mibench.artifacts.dictionary_files import load_dictionary
from mibench.core.errors import ArtifactError
from mibench.core.hook_points import HookPoint
from mibench.engine.dictionaries.coder import Coder

D, N, K = 8, 24, 5


def tensors(*, skip=False, dtype=torch.float32):
    generator = torch.Generator().manual_seed(7)
    shapes = {"encoder.weight": (N, D), "encoder.bias": (N,), "W_dec": (N, D), "b_dec": (D,)}
    shapes |= {"W_skip": (D, D)} if skip else {}
    return {name: (0.5 * torch.randn(shape, generator=generator)).to(dtype) for name, shape in shapes.items()}


@pytest.fixture
def written(tmp_path):
    """``written(config, state, name)``: a folder of sparsify, changed."""

    def make(config=None, state=None, name="layers.5", run=None):
        folder = tmp_path / name
        folder.mkdir()
        save_file(state or tensors(), folder / "sae.safetensors")
        said = {"activation": "topk", "d_in": D, "num_latents": N, "k": K, "expansion_factor": 32, **(config or {})}
        (folder / "cfg.json").write_text(json.dumps({key: value for key, value in said.items() if value is not None}))
        if run is not None:
            (tmp_path / "config.json").write_text(json.dumps(run))
        return folder

    return make


def naive(state, x, *, transcode=False):
    inputs = x if transcode else x - state["b_dec"]
    p = torch.relu(inputs @ state["encoder.weight"].T + state["encoder.bias"])
    values, indices = p.topk(K, dim=-1)
    latents = torch.zeros_like(p).scatter(-1, indices, values)
    y = latents @ state["W_dec"] + state["b_dec"]
    return latents, y + x @ state["W_skip"].T if "W_skip" in state else y


@pytest.mark.parametrize(("transcode", "skip"), [(False, False), (True, False), (True, True), (False, True)])
def test_it_computes_what_sparsify_computes(written, transcode, skip):
    state = tensors(skip=skip)
    dictionary = load_dictionary(written({"transcode": transcode, "skip_connection": skip}, state, "layers.5.mlp"))
    x = torch.randn(32, D, generator=torch.Generator().manual_seed(2))
    latents, y = naive(state, x, transcode=transcode)
    coder = Coder(dictionary, device=torch.device("cpu"), dtype=torch.float32)
    assert torch.allclose(coder.encode(x), latents * state["W_dec"].norm(dim=1), atol=1e-5)
    assert torch.allclose(coder.reconstruct(x), y, atol=1e-5)


def test_bfloat16_is_read_exactly(written):
    state = tensors(dtype=torch.bfloat16)
    dictionary = load_dictionary(written(state=state))
    assert torch.equal(torch.from_numpy(dictionary.tensors["w_enc"]), state["encoder.weight"].float().T)


def test_a_decoder_either_way_round_is_understood(written, tmp_path):
    one = load_dictionary(written())
    other = load_dictionary(written(state=tensors() | {"W_dec": tensors()["W_dec"].T.contiguous()}, name="layers_5"))
    assert one.digest == other.digest


def test_a_square_decoder_is_as_sparsify_keeps_it(written):
    generator = torch.Generator().manual_seed(7)
    shapes = {"encoder.weight": (D, D), "encoder.bias": (D,), "W_dec": (D, D), "b_dec": (D,)}
    state = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    dictionary = load_dictionary(written({"num_latents": D}, state))
    assert torch.equal(torch.from_numpy(dictionary.tensors["w_dec"]), state["W_dec"])


@pytest.mark.parametrize(
    ("name", "transcode", "hook", "output"),
    [
        ("layers.5", False, "residual-post.L5", None),
        ("layers_5", False, "residual-post.L5", None),
        ("model.layers.5", False, "residual-post.L5", None),
        ("gpt_neox.layers.5.mlp", False, "mlp-out.L5", None),
        ("h.5.attn", False, "attn-out.L5", None),
        ("layers.5.self_attn", False, "attn-out.L5", None),
        ("layers.5.mlp", True, "mlp-in.L5", "mlp-out.L5"),
        ("layers.5", True, "residual-pre.L5", "residual-post.L5"),
    ],
)
def test_the_folder_says_the_place(written, name, transcode, hook, output):
    place = load_dictionary(written({"transcode": transcode}, name=name)).place
    assert (place.hook, place.output) == (HookPoint.parse(hook), HookPoint.parse(output) if output else None)


@pytest.mark.parametrize("name", ["embed_tokens", "mine", "layers.5.mlp.act"])
def test_a_folder_that_says_nothing_needs_words(written, name):
    folder = written(name=name)
    with pytest.raises(ArtifactError, match="cannot be used"):
        load_dictionary(folder)
    assert load_dictionary(folder, hook="residual-post.L5", model="gpt2").place.hook.layer == 5


def test_the_module_of_a_model_with_post_norms_is_not_what_is_added(written):
    folder = written(name="layers.5.mlp", run={"sae": {}, "model": "google/gemma-2-2b"})
    with pytest.raises(ArtifactError, match="cannot be used"):
        load_dictionary(folder)


def test_the_run_says_model_corpus_and_context(written):
    run = {"sae": {}, "model": "EleutherAI/pythia-160m", "dataset": "a/b", "ctx_len": 2048}
    dictionary = load_dictionary(written(run=run))
    assert dictionary.place.model == "EleutherAI/pythia-160m"
    assert (dictionary.training.corpus, dictionary.training.context) == ("a/b", 2048)


@pytest.mark.parametrize("run", [{"model": "x"}, [1]])
def test_another_config_above_is_not_read(written, run):
    assert load_dictionary(written(run=run)).place.model == ""


@pytest.mark.parametrize(
    ("config", "word"),
    [
        ({"signed": True}, "signed"),
        ({"activation": "groupmax"}, "groupmax"),
        ({"embed_skip": True}, "embed_skip"),
        ({"gram_lookup": True}, "gram_lookup"),
        ({"k": None}, "how many latents"),
        ({"k": 0}, "k is 0"),
        ({"d_in": None}, "d_in"),
        ({"d_in": 9}, "encoder.weight"),
        ({"num_latents": 25}, "25 latents"),
        ({"num_latents": 0, "expansion_factor": 4}, "32 latents"),
        ({"hook": "residual-post.L4"}, "layer 5"),
    ],
)
def test_what_a_dictionary_cannot_say_is_refused_by_name(written, config, word):
    with pytest.raises(ArtifactError) as caught:
        load_dictionary(written(config))
    assert word in caught.value.why


def test_the_expansion_factor_says_the_latents(written):
    assert load_dictionary(written({"num_latents": None, "expansion_factor": 3})).d_sae == N
