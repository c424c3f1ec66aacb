"""What every registered method of the SAE track has to keep."""

from __future__ import annotations

import dataclasses
import inspect
import json
from functools import cache

import pytest
import torch
from planted_activations import CPU, Planted, view_of

from mibench.artifacts.dictionaries.checks import validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.native import load_native, save_dictionary
from mibench.core.specs import MethodRef
from mibench.engine.dictionaries.coder import Coder
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import METHODS, Method

NAMES = [name for name in METHODS.names() if METHODS.get(name).metadata["track"] == "sae"]
NEEDS = {"train", "gradients", "randomness"}
QUICK = {"width": 24, "k": 2, "l0": 2.0, "batch": 128, "tokens": 128 * 6}

every_method = pytest.mark.parametrize("name", NAMES)


def method(name: str) -> Method:
    found = METHODS.load(name)
    assert isinstance(found, Method)
    return found


def params(name: str) -> dict[str, object]:
    if name == "sae-pca":
        return method(name).parameters({"k": 3})
    return method(name).parameters({key: value for key, value in QUICK.items() if key in method(name).known})


@cache
def source(d_out=None):
    return Planted(tokens=2048, d_out=d_out)


def found_by(name: str, *, d_out=None, **changes: object) -> Dictionary:
    made = method(name).function(view_of(source(d_out), **changes), **params(name))
    assert isinstance(made, Dictionary)
    return made


def test_the_methods_that_users_are_promised_are_there():
    trained = {"topk", "batchtopk", "matryoshka", "jumprelu", "gated", "relu"}
    nulls = {"frozen-decoder", "sae-pca", "random-dictionary", "identity", "mean-dictionary"}
    assert trained | nulls <= set(NAMES)


@every_method
def test_what_it_declares_is_what_the_registry_reads_without_importing_it(name):
    found, declared = method(name), METHODS.get(name).metadata
    assert (found.name, found.track, found.version) == (name, "sae", declared["version"])
    assert list(found.needs) == list(declared["needs"])
    assert set(found.needs) <= NEEDS
    assert found.levels == ()


@every_method
def test_its_docstring_gives_cost_source_and_parameters(name):
    doc = inspect.getdoc(method(name).function) or ""
    assert "Cost:" in doc
    assert "Source:" in doc
    assert all(f"{parameter}:" in doc for parameter in method(name).known)


@every_method
def test_it_hands_in_a_dictionary_of_the_place_that_survives_a_file(name, tmp_path):
    made = found_by(name)
    validate_dictionary(made)
    assert made.place == view_of(source()).place
    assert (made.d_in, made.d_out) == (16, 16)
    save_dictionary(made, tmp_path / "made.safetensors")
    assert load_native(tmp_path / "made.safetensors").digest == made.digest


@every_method
def test_it_makes_transcoders_too(name):
    made = found_by(name, d_out=9)
    validate_dictionary(made)
    assert (made.d_in, made.d_out) == (16, 9)


@every_method
def test_the_same_seed_gives_the_same_bits_and_another_one_others_exactly_if_it_says_so(name):
    digests = [found_by(name, seed=seed).digest for seed in (3, 3, 4)]
    assert digests[0] == digests[1]
    assert (digests[1] != digests[2]) == ("randomness" in method(name).needs)


@every_method
def test_what_it_reconstructs_is_finite_and_no_worse_than_four_times_the_mean(name):
    made = found_by(name)
    x = source().inputs
    reconstruction = Coder(made, device=CPU, dtype=torch.float32).reconstruct(x)
    assert reconstruction.isfinite().all()
    assert (x - reconstruction).square().sum() < 4 * (x - x.mean(0)).square().sum()


@every_method
def test_it_keeps_what_is_known_of_the_text_and_adds_its_seed(name):
    facts = found_by(name, seed=5).training
    assert (facts.corpus, facts.context, facts.bos, facts.seed) == ("planted", 8, False, 5)
    assert facts.tokens is not None
    assert facts.tokens <= source().n_tokens


@every_method
def test_its_parameters_come_back_from_a_record_as_they_were(name):
    found, given = method(name), params(name)
    stored = json.loads(MethodRef(name=name, params=given).model_dump_json())["params"]
    assert found.parameters(stored) == given


def test_the_view_has_no_way_to_the_test_split():
    words = [name for name in dir(DictionaryView) if not name.startswith("_")]
    words += [field.name for field in dataclasses.fields(DictionaryView)]
    assert not [word for word in words if "test" in word or "split" in word]
