from __future__ import annotations

import pytest

from mibench.core.errors import ModelError
from mibench.core.truth import read_truth
from mibench.models import known
from mibench.models.known import known_folder, known_models, note_of, truth_of

NAME = "planted-lookup-gpt2"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path))
    return tmp_path


def test_the_truth_of_a_planted_model_is_told_without_writing_it(cache):
    told = truth_of(NAME)
    assert not list(cache.iterdir())
    assert read_truth(known_folder(NAME)) == told
    assert "planted-lookup-entity" in told.tasks


def test_planted_weights_that_were_changed_are_refused(cache):
    weights = known_folder(NAME) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelError, match="has changed") as caught:
        known_folder(NAME)
    assert "Delete that folder" in caught.value.do


def test_shipped_models_are_held_to_their_digests(cache, monkeypatch):
    (name, *_) = (name for name, one in known_models().items() if one.origin == "trained")
    assert read_truth(known_folder(name)) == truth_of(name)
    known._checked.cache_clear()
    monkeypatch.setitem(known._shipped(), name, [*known._shipped()[name], "more.safetensors"])
    with pytest.raises(ModelError, match=f"{name} has changed"):
        known_folder(name)
    known._checked.cache_clear()


def test_nothing_is_known_of_other_models(cache):
    assert truth_of("gpt2") is None
    assert truth_of("nowhere/at@all") is None
    assert note_of("nowhere") == ""
    assert "by hand" in note_of(NAME)
