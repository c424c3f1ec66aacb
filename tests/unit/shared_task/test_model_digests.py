"""Digests of a round's models are those that records have, and no weights are loaded for them."""

from __future__ import annotations

import pytest
from opening_cases import model

from mibench.core.errors import ModelError
from mibench.models.catalogue import CATALOGUE
from mibench.models.digest import folder_digest
from mibench.models.load import load_hf
from mibench.shared_task.model_digests import model_digest


def test_a_model_with_a_known_mechanism_has_the_digest_of_its_records():
    assert model_digest("planted-induction-gpt2", {}) == load_hf("planted-induction-gpt2").digest


def test_a_folder_goes_before_a_name_of_the_catalogue(tmp_path):
    folder = model(tmp_path / "gpt2")
    assert model_digest("gpt2", {"gpt2": folder}) == folder_digest(folder)


def test_a_converted_model_has_the_digest_of_what_it_was_converted_from(tmp_path, monkeypatch):
    spec = CATALOGUE["smollm2-135m"]
    monkeypatch.setattr(
        "mibench.shared_task.model_digests.converted_manifest", lambda folder, spec: {"folder_digest": "a"}
    )
    assert model_digest("smollm2-135m", {}) == spec.weights_sha256


def test_a_model_that_is_not_here_is_said_with_the_command_that_fetches_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MIBENCH_CACHE", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        model_digest("smollm2-135m", {})
    assert caught.value.do == "mibench models pull smollm2-135m"


def test_what_nothing_is_called_has_no_digest(tmp_path):
    assert model_digest("no-such-model", {"other": tmp_path}) is None
    assert model_digest("other", {"other": tmp_path / "nowhere"}) is None
