from __future__ import annotations

import numpy as np
import pytest

from mibench.artifacts.dictionaries import formula
from mibench.artifacts.dictionary_files import load_dictionary, needs_processing
from mibench.core.errors import ArtifactError

D, N = 8, 24


def arrays(d_out=D):
    rng = np.random.default_rng(4)
    shapes = {"W_enc": (D, N), "W_dec": (N, d_out), "b_enc": (N,), "b_dec": (d_out,), "threshold": (N,)}
    drawn = {name: (0.5 * rng.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
    return drawn | {"threshold": np.abs(drawn["threshold"])}


@pytest.fixture
def written(tmp_path):
    def make(folders, values=None, save=np.savez):
        file = tmp_path / folders / "params.npz"
        file.parent.mkdir(parents=True)
        save(file, **(values or arrays()))
        return file

    return make


def test_it_computes_jumprelu_without_pre_bias(written):
    values = arrays()
    dictionary = load_dictionary(written("gemma-scope-2b-pt-res/layer_20/width_24/average_l0_71"))
    x = np.random.default_rng(1).standard_normal((32, D)).astype(np.float32)
    p = x @ values["W_enc"] + values["b_enc"]
    latents = np.where(p > values["threshold"], np.maximum(p, 0), 0)
    assert np.allclose(formula.encode(dictionary, x), latents, atol=1e-6)
    assert np.allclose(formula.reconstruct(dictionary, x), latents @ values["W_dec"] + values["b_dec"], atol=1e-5)


@pytest.mark.parametrize(
    ("folders", "model", "hook"),
    [
        ("gemma-scope-2b-pt-res/layer_20/width_24/average_l0_71", "gemma-2-2b", "residual-post.L20"),
        ("gemma-scope-2b-pt-res-canonical/layer_20/width_24/canonical", "gemma-2-2b", "residual-post.L20"),
        ("gemma-scope-9b-pt-mlp/layer_4/width_24/average_l0_8", "gemma-2-9b", "mlp-out.L4"),
        ("gemma-scope-9b-it-res/layer_4/width_24/average_l0_8", "gemma-2-9b-it", "residual-post.L4"),
        ("gemma-scope-2b-pt-att/layer_0/width_24/average_l0_8", "gemma-2-2b", "heads.L0"),
        ("somewhere/layer_7/width_24/average_l0_8", "", "residual-post.L7"),
    ],
)
def test_the_path_says_model_place_and_l0(written, folders, model, hook):
    file = written(folders)
    for path in (file, file.parent):
        dictionary = load_dictionary(path)
        assert (dictionary.place.model, dictionary.place.hook.name) == (model, hook)
        stated = folders.rsplit("_", 1)[-1]
        assert dictionary.training.l0 == (float(stated) if stated.isdigit() else None)


def test_a_transcoder_reads_before_the_mlp_and_writes_after_it(written):
    file = written("gemma-scope-2b-pt-transcoders/layer_5/width_24/average_l0_8", arrays(d_out=6))
    dictionary = load_dictionary(file)
    assert (dictionary.place.hook.name, dictionary.place.target.name) == ("mlp-normalised.L5", "mlp-out.L5")
    assert needs_processing(dictionary)


def test_without_a_release_the_user_may_say_more(written):
    file = written("layer_7/width_24")
    assert load_dictionary(file, hook="mlp-out.L7", model="gemma-2-2b").place.hook.name == "mlp-out.L7"
    said = load_dictionary(file, hook="mlp-in.L7->mlp-out.L7")
    assert said.place.target.name == "mlp-out.L7"


def test_a_file_alone_needs_words(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    with pytest.raises(ArtifactError, match="cannot be used") as caught:
        load_dictionary(tmp_path / "mine.npz")
    assert "residual-post" in caught.value.do
    assert load_dictionary(tmp_path / "mine.npz", hook="residual-post.L2").place.hook.layer == 2


@pytest.mark.parametrize(
    ("folders", "model", "hook"),
    [
        ("gemma-scope-2b-pt-res/layer_20/width_24", None, "residual-post.L21"),
        ("gemma-scope-2b-pt-res/layer_20/width_24", None, "mlp-out.L20"),
        ("gemma-scope-2b-pt-res/layer_20/width_24", "gemma-2-9b", None),
        ("layer_20/width_24", None, "residual-post.L21"),
        ("layer_20/width_16k", None, None),
        ("gemma-scope-2b-pt-res/embedding/width_24", None, None),
    ],
)
def test_contradictions_are_refused(written, folders, model, hook):
    with pytest.raises(ArtifactError, match="cannot be used"):
        load_dictionary(written(folders), model=model, hook=hook)


def test_names_in_any_case_and_half_precision_are_read(written):
    values = {name.lower(): value.astype(np.float16) for name, value in arrays().items()}
    dictionary = load_dictionary(written("layer_1", values, np.savez_compressed))
    assert np.array_equal(dictionary.tensors["w_enc"], values["w_enc"].astype(np.float32))
