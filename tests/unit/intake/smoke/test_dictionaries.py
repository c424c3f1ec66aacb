"""Dictionaries of a tiny model: what reconstructs passes, and what reads another layer is told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from core_family import Letters, language_model, write_text

from mibench.artifacts.dictionaries.dictionary import Dictionary, Place, Rule
from mibench.core.errors import DataError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.specs import ModelRef
from mibench.engine.activations.capture import read
from mibench.intake.smoke import dictionaries
from mibench.intake.smoke.dictionaries import dictionary_warning, generated_warning
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.sae.dictionary_task import load_dictionary_task
from mibench.tasks.synthetic.truth import make_truth

TASK = "sae-core"


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A model of three layers whose MLPs write different things, and a text that it reads."""
    corpus = load_corpus(write_text(tmp_path, documents=600))
    monkeypatch.setattr(dictionaries, "load_corpus", lambda _: corpus)
    model = language_model()
    ref = ModelRef(name="tiny", digest="0" * 64, dtype="float64")
    hf = SimpleNamespace(name="tiny", tokenizer=Letters(), model=model.hf)
    return SimpleNamespace(hf=hf, model=model, model_ref=ref, device=model.device, accumulate=model.accumulate)


def principal(bench, layer, rank=8, place=None):
    """Principal components of what the MLP of a layer writes, as a dictionary."""
    ids = torch.randint(2, 41, (40, 8), generator=torch.Generator().manual_seed(0))
    point = HookPoint(layer, HookKind.MLP_OUT)
    x = read(bench.model, ids, [point])[point].flatten(0, 1).double().numpy()
    mean = x.mean(0)
    _, _, rows = np.linalg.svd(x - mean, full_matrices=False)
    return linear(rows[:rank], mean, place or Place("tiny", point))


def linear(rows, mean, place):
    tensors = {"w_enc": rows.T, "b_enc": np.zeros(len(rows)), "w_dec": rows, "b_dec": mean}
    rule = Rule(activation="linear", pre_bias=True)
    return Dictionary(place, "pca", rule, _singles(tensors))


def _singles(tensors):
    return {name: array.astype(np.float32) for name, array in tensors.items()}


def test_what_reconstructs_its_layer_passes(bench):
    for layer in range(3):
        assert dictionary_warning(principal(bench, layer), bench, TASK, 10) is None


@pytest.mark.parametrize(("layer", "said", "words"), [(1, 0, "one layer later"), (1, 2, "one layer earlier")])
def test_another_layer_is_told(bench, layer, said, words):
    own = principal(bench, layer, place=Place("tiny", HookPoint(said, HookKind.MLP_OUT)))
    found = dictionary_warning(own, bench, TASK, 10)
    assert f"it scores better with what is read {words} (explained variance 0." in found
    assert found.startswith("looks wrong: on 10 validation contexts of ")


def test_what_reconstructs_nothing_is_told(bench):
    rng = np.random.default_rng(0)
    own = linear(3 * rng.normal(size=(8, 16)), np.zeros(16), Place("tiny", HookPoint(1, HookKind.MLP_OUT)))
    assert "it is not better than the mean activation (0) (explained variance -" in dictionary_warning(
        own, bench, TASK, 10
    )


def test_a_transcoder_is_moved_with_what_it_writes(bench):
    x, y = (HookPoint(2, kind) for kind in (HookKind.MLP_IN, HookKind.MLP_OUT))
    ids = torch.randint(2, 41, (200, 8), generator=torch.Generator().manual_seed(0))
    found = read(bench.model, ids, [x, y])
    inputs, outputs = (found[point].flatten(0, 1).double().numpy() for point in (x, y))
    centre = outputs.mean(0)
    w_enc = np.random.default_rng(0).normal(size=(16, 160))
    w_dec, *_ = np.linalg.lstsq(np.maximum(inputs @ w_enc, 0), outputs - centre, rcond=None)
    tensors = {"w_enc": w_enc, "b_enc": np.zeros(160), "w_dec": w_dec, "b_dec": centre}
    right = Dictionary(Place("tiny", x, y), "regression", Rule("relu", pre_bias=False), _singles(tensors))
    assert dictionary_warning(right, bench, TASK, 10) is None
    wrong = replace(right, place=Place("tiny", HookPoint(1, HookKind.MLP_IN), HookPoint(1, HookKind.MLP_OUT)))
    assert "one layer later" in dictionary_warning(wrong, bench, TASK, 10)


def test_a_model_without_a_tokenizer_has_no_text(bench):
    bench.hf.tokenizer = None
    with pytest.raises(DataError, match="no text"):
        dictionary_warning(principal(bench, 1), bench, TASK, 10)


def test_generated_data_need_no_model():
    task = "sae-synthetic-toy"
    truth = make_truth(load_dictionary_task(task).settings.recipe)
    width = truth.directions.shape[1]
    place = Place(task, HookPoint(0))
    assert generated_warning(linear(np.eye(width), np.zeros(width), place), task, 10) is None
    bad = linear(np.eye(width), np.zeros(width), place)
    bad = replace(bad, tensors={**bad.tensors, "w_dec": -bad.tensors["w_dec"]})
    assert "on 10 validation samples of sae-synthetic-toy it is not better than" in generated_warning(bad, task, 10)
