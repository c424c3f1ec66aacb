from __future__ import annotations

from dataclasses import replace

import pytest
from dictionary_examples import example

from mibench.artifacts.dictionaries.dictionary import TrainingFacts
from mibench.runner.dictionaries.stability import remarks


def of_seed(seed, **changes):
    params = {"width": 24, "k": 3, "lr": None} | changes.pop("params", {})
    facts = TrainingFacts(**{"corpus": "sotu", "tokens": 1000, "seed": seed} | changes.pop("facts", {}))
    return replace(example("topk", seed=seed, **changes), params=params, training=facts)


def test_seeds_of_one_recipe_call_for_no_remark():
    assert remarks([of_seed(0), of_seed(1), of_seed(2)], ["a", "b", "c"]) == []


def test_what_files_do_not_say_is_no_difference():
    bare = replace(of_seed(1), params={}, training=TrainingFacts())
    assert remarks([of_seed(0), bare], ["a", "b"]) == []


def test_one_dictionary_given_twice_is_named():
    (note,) = remarks([of_seed(0), of_seed(0), of_seed(1)], ["a", "copy", "b"])
    assert note == "a, copy are one dictionary, which agrees with itself"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layer": 2}, "place, not in their seed alone: a tiny residual-post.L1, b tiny residual-post.L2"),
        ({"model": "other"}, "place"),
        ({"d_sae": 30}, "width"),
        ({"params": {"k": 5}}, "k, not in their seed alone: a 3, b 5"),
        ({"facts": {"tokens": 2000}}, "training tokens"),
        ({"facts": {"corpus": "python-stdlib"}}, "training text"),
    ],
)
def test_what_differs_besides_the_seed_is_said(changes, words):
    (note,) = remarks([of_seed(0), of_seed(1, **changes)], ["a", "b"])
    assert f"they differ in {words}" in note


def test_two_dictionaries_of_one_seed_are_no_draws_of_it():
    (note,) = remarks([of_seed(0), of_seed(1, facts={"seed": 0})], ["a", "b"])
    assert note == "a, b have the same seed, so they are not draws of it"
