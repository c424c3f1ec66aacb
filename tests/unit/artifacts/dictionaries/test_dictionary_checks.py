"""Dictionaries that can be used, and those that are refused, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dictionary_examples import ARCHITECTURES, SCALINGS, example

from mibench.artifacts.dictionaries import checks
from mibench.artifacts.dictionaries.checks import check_model, validate_dictionary
from mibench.artifacts.dictionaries.dictionary import Place, Rule, TrainingFacts
from mibench.core.errors import ArtifactError
from mibench.core.hook_points import HookKind, HookPoint

RELU = Rule("relu", pre_bias=True)


def with_tensors(dictionary, **changed):
    tensors = {**dictionary.tensors, **changed}
    return replace(dictionary, tensors={name: array for name, array in tensors.items() if array is not None})


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_example_can_be_used(architecture, scaling):
    validate_dictionary(example(architecture, scaling=scaling, skip=True))


def test_a_transcoder_may_write_another_width_and_thresholds_may_be_negative():
    validate_dictionary(example("jumprelu", d_out=7))
    dictionary = example("jumprelu")
    validate_dictionary(with_tensors(dictionary, threshold=np.full(24, -1, np.float32)))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"b_enc": None}, "has the tensors b_dec, w_dec, w_enc, not"),
        ({"threshold": np.zeros(24, np.float32)}, "has the tensors"),
        ({"w_enc": np.zeros((12, 24))}, "'w_enc' is float64"),
        ({"w_enc": [[1.0]]}, "'w_enc' is a list"),
        ({"w_enc": np.zeros((24, 12), np.float32)}, r"'w_dec' has shape \[24, 12\], not \[d_sae = 12, d_out\]"),
        ({"w_enc": np.zeros((24, 12), np.float32).T}, "row by row"),
        ({"w_enc": np.zeros((12, 24, 1), np.float32)}, r"'w_enc' has shape \[12, 24, 1\]"),
        ({"b_enc": np.zeros(23, np.float32)}, "'b_enc' has shape"),
        ({"b_dec": np.zeros((1, 12), np.float32)}, "'b_dec' has shape"),
        ({"w_skip": np.zeros((12, 11), np.float32)}, "'w_skip' has shape"),
        ({"b_enc": np.full(24, np.nan, np.float32)}, "'b_enc' holds NaN"),
        ({"w_enc": np.full((12, 24), np.inf, np.float32)}, "'w_enc' holds NaN or infinity"),
        ({"b_dec": np.full(12, -1e20, np.float32)}, "'b_dec' holds numbers from -1e"),
        ({"w_dec": np.zeros((24, 11), np.float32), "b_dec": np.zeros(11, np.float32)}, "at the same place"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(changed, why):
    with pytest.raises(ArtifactError, match=why):
        validate_dictionary(with_tensors(example("relu", pre_bias=False), **changed))


def test_one_number_that_is_none_is_found_anywhere():
    bad = example("relu").tensors["w_enc"].copy()
    bad[7, 3] = np.nan
    with pytest.raises(ArtifactError, match="NaN"):
        validate_dictionary(with_tensors(example("relu"), w_enc=bad))
    with pytest.raises(ArtifactError, match="'r_mag' holds numbers"):
        validate_dictionary(with_tensors(example("gated"), r_mag=np.full(24, 90, np.float32)))


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        (Rule("topk", pre_bias=True), "k is None"),
        (Rule("topk", pre_bias=True, k=0), "k is 0"),
        (Rule("topk", pre_bias=True, k=True), "k is True"),
        (Rule("topk", pre_bias=True, k=25), "keeps 25 of 24"),
        (Rule("relu", pre_bias=True, k=3), "With activation relu k is 3"),
        (Rule("swish", pre_bias=True), "activation is 'swish'"),
        (Rule("relu", pre_bias=1), "pre_bias is 1"),
        (Rule("relu", pre_bias=True, scaling="whiten"), "scaling is 'whiten'"),
        (Rule("relu", pre_bias=True, scaling="constant", scale=0.0), "scale is 0.0"),
        (Rule("relu", pre_bias=True, scaling="constant", scale=float("nan")), "scale is nan"),
        (Rule("relu", pre_bias=True, scaling="constant", scale=2), "scale is 2"),
        (Rule("relu", pre_bias=True, scale=2.0), "With scaling none scale is 2.0"),
        (None, "rule is None"),
    ],
)
def test_rules_that_do_not_fit_are_refused(rule, why):
    with pytest.raises(ArtifactError, match=why):
        validate_dictionary(replace(example("relu"), rule=rule))


def test_a_bias_of_another_place_is_not_subtracted():
    with pytest.raises(ArtifactError, match="subtracts a b_dec of 7 entries"):
        validate_dictionary(example("relu", d_out=7, pre_bias=True))


def test_one_entry_is_not_normalised():
    dictionary = example("relu", d_in=1, scaling="layer-norm")
    with pytest.raises(ArtifactError, match="one entry"):
        validate_dictionary(dictionary)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"architecture": "sparse"}, "architecture is 'sparse'"),
        ({"architecture": ["relu"]}, "architecture is a list"),
        ({"place": None}, "where it reads"),
        ({"place": Place("x" * 201, HookPoint(1))}, "where it reads"),
        ({"place": Place("a\nb", HookPoint(1))}, "where it reads"),
        ({"place": Place("tiny", "residual-post.L1")}, "no hook point"),
        ({"place": Place("tiny", HookPoint(-1))}, "no hook point"),
        ({"place": Place("tiny", HookPoint(1), HookPoint(99999))}, "no hook point"),
        ({"training": None}, "training is None"),
        ({"training": TrainingFacts(tokens=-1)}, "training.tokens is -1"),
        ({"training": TrainingFacts(corpus=3)}, "training.corpus is 3"),
        ({"training": TrainingFacts(bos="yes")}, "training.bos is 'yes'"),
        ({"training": TrainingFacts(l0=float("nan"))}, "training.l0 is nan"),
        ({"training": TrainingFacts(groups=(20, 5))}, "groups"),
        ({"training": TrainingFacts(groups=(0, 24))}, "groups"),
        ({"training": TrainingFacts(groups=[24])}, "groups"),
        ({"method": ""}, "method is ''"),
        ({"method": "\ud800"}, "method is"),
        ({"params": {1: 2}}, "params is"),
        ({"meta": {"a": {1, 2}}}, "meta is not JSON"),
        ({"meta": {"a": float("inf")}}, "meta is not JSON"),
        ({"meta": {"a": "x" * checks.MAX_JSON}}, "meta takes"),
    ],
)
def test_words_that_do_not_fit_are_refused(changed, why):
    with pytest.raises(ArtifactError, match=why):
        validate_dictionary(replace(example("relu"), **changed))


def test_a_dictionary_that_is_too_large_is_refused_by_its_shapes():
    place = Place("tiny", HookPoint(1))

    def shapes(d, n):
        return {"w_enc": (d, n), "w_dec": (n, d), "b_enc": (n,), "b_dec": (d,)}

    checks.check_shapes(place, RELU, shapes(4096, 2**18))
    for d, n, why in [(8, 2**22, "d_sae is"), (2**18, 8, "d_in is"), (2**17, 2**16, "bytes"), (0, 8, "shape")]:
        with pytest.raises(ArtifactError, match=why):
            checks.check_shapes(place, RELU, shapes(d, n))


def test_widths_are_held_against_the_model():
    dictionary = example("relu", d_out=7)
    check_model(dictionary, 12, 7)
    with pytest.raises(ArtifactError, match=r"reads 12 entries at mlp-in.L1, where the model has 13"):
        check_model(dictionary, 13, 7)
    with pytest.raises(ArtifactError, match=r"writes 7 entries at mlp-out.L1, where the model has 12") as caught:
        check_model(dictionary, 12, 12)
    assert "tiny" in caught.value.do


def test_a_transcoder_into_its_own_place_is_a_dictionary():
    dictionary = example("relu")
    point = HookPoint(1, HookKind.RESIDUAL_POST)
    validate_dictionary(replace(dictionary, place=Place("tiny", point, point)))
