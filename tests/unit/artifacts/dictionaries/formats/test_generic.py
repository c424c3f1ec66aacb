from __future__ import annotations

import json

import foreign_dictionaries as foreign
import numpy as np
import pytest
from safetensors.numpy import save_file

from mibench.artifacts.dictionary_files import load_dictionary
from mibench.core.errors import ArtifactError

TOPK = foreign.EXAMPLES["topk"]
WORDS = {"architecture": "topk", "k": "5", "apply_b_dec_to_input": "true", "hook": "residual-post.L3", "model": "gpt2"}


@pytest.fixture
def written(tmp_path):
    def make(tensors=TOPK.tensors, words=WORDS, beside=None):
        path = tmp_path / "some.safetensors"
        save_file({name: np.ascontiguousarray(value) for name, value in tensors.items()}, path, metadata=words)
        if beside is not None:
            path.with_suffix(".json").write_text(json.dumps(beside))
        return path

    return make


def test_words_in_the_metadata_say_what_it_is(written):
    assert load_dictionary(written()).digest == TOPK.digest


def test_words_beside_the_file_say_the_same(written):
    beside = {**WORDS, "k": 5, "apply_b_dec_to_input": True, "hook_name": "blocks.3.hook_resid_post"}
    beside.pop("hook")
    assert load_dictionary(written(words=None, beside=beside)).digest == TOPK.digest


def test_names_in_any_case_are_understood(written):
    tensors = {name.replace("w_", "W_").upper(): value for name, value in TOPK.tensors.items()}
    assert load_dictionary(written(tensors)).digest == TOPK.digest


def test_matrices_either_way_round_are_understood(written):
    tensors = {name: value.T if value.ndim == 2 else value for name, value in TOPK.tensors.items()}
    assert load_dictionary(written(tensors)).digest == TOPK.digest


def test_square_matrices_are_taken_as_they_are(written):
    rng = np.random.default_rng(0)
    tensors = {name: rng.standard_normal((8, 8) if name[0] == "w" else 8).astype(np.float32) for name in TOPK.tensors}
    found = load_dictionary(written(tensors)).tensors
    assert all(np.array_equal(found[name], tensors[name]) for name in tensors)


def test_tensors_say_the_architecture_where_no_word_does(written):
    jumprelu = foreign.EXAMPLES["jumprelu"]
    words = {"apply_b_dec_to_input": "false"}
    found = load_dictionary(written(jumprelu.tensors, words), hook="residual-post.L3", model="gpt2")
    assert found.digest == jumprelu.digest


@pytest.mark.parametrize(
    ("words", "word"),
    [
        ({"apply_b_dec_to_input": None}, "b_dec is subtracted"),
        ({"architecture": None, "k": None}, "architecture"),
        ({"architecture": "crosscoder"}, "crosscoder"),
        ({"architecture": "relu", "activation": "exp"}, "exp"),
        ({"architecture": "gated"}, "b_gate"),
        ({"k": None}, "k is None"),
        ({"k": "five"}, "'k'"),
        ({"k": "1e400"}, "'k'"),
        ({"apply_b_dec_to_input": "1"}, "apply_b_dec_to_input"),
        ({"hook": None}, "Nothing says where"),
        ({"hook": "somewhere"}, "somewhere"),
        ({"scaling": "cube"}, "cube"),
        ({"scaling": "constant", "scale": "0"}, "scale"),
        ({"dictionary": "[1]"}, "dictionary"),
    ],
)
def test_what_is_not_said_is_asked_for(written, words, word):
    said = {name: value for name, value in {**WORDS, **words}.items() if value is not None}
    with pytest.raises(ArtifactError) as caught:
        load_dictionary(written(words=said))
    assert word in caught.value.why


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"w_dec": np.zeros((23, 8), np.float32)}, "w_dec"),
        ({"w_enc": np.zeros((8, 24, 1), np.float32)}, "w_enc"),
        ({"W_ENC": np.zeros((8, 24), np.float32)}, "case only"),
        ({"more": np.zeros(3, np.float32)}, "more"),
        ({"threshold": np.zeros(24, np.float32)}, "tensors of jumprelu"),
        ({"k": np.array(6)}, "k is 6"),
        ({"b_enc": np.zeros(24, np.int32)}, "int"),
        ({"b_enc": np.zeros(24, np.bool_)}, "BOOL"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(written, change, word):
    with pytest.raises(ArtifactError) as caught:
        load_dictionary(written({**TOPK.tensors, **change}))
    assert word in caught.value.why


def test_words_that_contradict_each_other_are_refused(written):
    with pytest.raises(ArtifactError, match="cannot be used"):
        load_dictionary(written(beside={"hook": "residual-post.L4"}))
