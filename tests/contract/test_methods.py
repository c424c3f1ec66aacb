"""What every registered circuit method has to keep."""

from __future__ import annotations

import dataclasses
import inspect
import json
from functools import cache

import numpy as np
import pytest
from golden_data import golden_model, golden_pairs

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import UsageError
from mibench.core.specs import Level, MethodRef
from mibench.core.truth import TaskTruth
from mibench.engine.model import LanguageModel
from mibench.methods.method import METHODS, Method
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter
from mibench.runner.plan import plan
from mibench.runner.settings import run_settings

QUICK = {
    "acdc": {"thresholds": 1},
    "eap-oa": {"steps": 4},
    "edge-pruning": {"steps": 4},
    "ensemble": {"members": "eap,clean-corrupted"},
    "hybrid-ensemble": {"members": "eap,edge-pruning?steps=4"},
    "mattr": {"steps": 4},
    "node-pruning": {"steps": 4},
    "ugs": {"steps": 4},
}
"""Parameters of methods that take long."""

TRUTH = TaskTruth(edges=("input->a0.h1<v>", "a0.h1->m1", "m1->logits"))
"""Seen by the control alone, in a run."""
NEEDS = {"train", "gradients", "randomness"}
TOLERANCE = 1e-9


@cache
def model() -> LanguageModel:
    return LanguageModel(golden_model("tiny_llama"))


def method(name: str) -> Method:
    found = METHODS.load(name)
    assert isinstance(found, Method)
    return found


def view(level: Level, *, seed: int = 0, batch_size: int = 20, train: bool = True, meter: Meter | None = None):
    pairs = golden_pairs("tiny_llama", "B") if train else ()
    return CircuitView(model(), pairs, pairs, level, seed, batch_size, counter=meter or Meter(), truth=TRUTH)


def scores(name: str, level: Level, **options) -> CircuitScores:
    found = method(name)
    return found.function(view(level, **options), **found.parameters(QUICK.get(name, {})))


NAMES = [name for name in METHODS.names() if METHODS.get(name).metadata["track"] == "circuit"]
CASES = [(name, Level(level)) for name in NAMES for level in METHODS.get(name).metadata["levels"]]
every_method = pytest.mark.parametrize("name", NAMES)
every_case = pytest.mark.parametrize(("name", "level"), CASES)


@every_method
def test_what_it_declares_is_what_the_registry_reads_without_importing_it(name):
    found, declared = method(name), METHODS.get(name).metadata
    assert found.name == name
    assert (found.track, found.version) == (declared["track"], declared["version"])
    assert (list(found.needs), list(found.levels)) == (list(declared["needs"]), list(declared["levels"]))
    assert set(found.needs) <= NEEDS
    assert {Level(level) for level in found.levels}
    assert found.version >= 1


@every_method
def test_its_docstring_gives_formula_cost_and_source(name):
    doc = inspect.getdoc(method(name).function) or ""
    assert "Cost:" in doc
    assert "Source:" in doc
    known = method(name).known
    assert all(f"{parameter}:" in doc for parameter in known)


@every_case
def test_it_hands_in_an_artifact_that_can_be_scored(name, level):
    found = scores(name, level)
    assert found.level is level
    found.validate()
    found.check_model(model().graph, model().anatomy.d_model)


@every_case
def test_the_same_seed_gives_the_same_bits(name, level):
    assert np.array_equal(scores(name, level, seed=3).scores, scores(name, level, seed=3).scores)


@every_case
def test_the_seed_matters_exactly_if_it_says_that_it_draws(name, level):
    differs = not np.array_equal(scores(name, level, seed=0).scores, scores(name, level, seed=1).scores)
    assert differs == ("randomness" in method(name).needs)


@every_case
def test_the_batch_size_changes_rounding_only(name, level):
    found = [scores(name, level, batch_size=size).scores for size in (1, 3, 8)]
    largest = np.abs(found[0]).max()
    for other in found[1:]:
        assert np.abs(other - found[0]).max() <= TOLERANCE * largest


@every_case
def test_it_sees_training_examples_exactly_if_it_says_so(name, level):
    if "train" in method(name).needs:
        pairs = golden_pairs("tiny_llama", "B")
        fewer = dataclasses.replace(view(level), train=pairs[:3])
        found = method(name).function(fewer, **method(name).parameters(QUICK.get(name, {})))
        assert not np.allclose(found.scores, scores(name, level).scores)
    else:
        assert np.array_equal(scores(name, level, train=False).scores, scores(name, level).scores)


@every_case
def test_it_takes_gradients_exactly_if_it_says_so(name, level):
    with Meter() as meter:
        scores(name, level, meter=meter)
    assert (meter.cost().backward_passes > 0) == ("gradients" in method(name).needs)


@every_method
def test_its_parameters_come_back_from_a_record_as_they_were(name):
    found = method(name)
    params = found.parameters(QUICK.get(name, {}))
    stored = json.loads(MethodRef(name=name, params=params).model_dump_json())["params"]
    assert found.parameters(stored) == params
    assert found.parameters({key: str(value) for key, value in stored.items()}) == params


@every_method
def test_a_level_that_it_does_not_declare_is_refused_before_anything_runs(name):
    for level in set(Level) - {Level(level) for level in method(name).levels}:
        wanted = run_settings({"task": ["ioi"], "method": [name], "level": level.value})
        with pytest.raises(UsageError, match=f"{name} does not score {level}s"):
            plan(wanted)


def test_the_view_has_no_way_to_the_test_split():
    words = [name for name in dir(CircuitView) if not name.startswith("_")]
    words += [field.name for field in dataclasses.fields(CircuitView)]
    assert not [word for word in words if "test" in word or "split" in word or "task" in word]


@pytest.mark.parametrize(
    ("name", "given", "forward", "backward"),
    [
        ("random", {}, 0, 0),
        ("eap", {}, 2, 1),
        ("eap", {"ablation": "zero"}, 1, 1),
        ("eap", {"ablation": "mean"}, 2, 1),
        ("eap-ig-inputs", {}, 6, 5),
        ("eap-ig-inputs", {"steps": 1}, 2, 1),
        ("eap-ig-inputs", {"steps": 8}, 9, 8),
        ("eap-ig-inputs", {"steps": 5, "rule": "right"}, 6, 5),
        ("eap-ig-inputs", {"steps": 5, "rule": "midpoint"}, 7, 5),
    ],
)
def test_passes_are_those_that_the_docstring_claims(name, given, forward, backward):
    with Meter() as meter:
        method(name).function(view(Level.EDGE, meter=meter), **method(name).parameters(given))
    n = len(golden_pairs("tiny_llama", "B"))
    assert (meter.cost().forward_passes / n, meter.cost().backward_passes / n) == (forward, backward)


def test_one_step_at_the_clean_end_is_plain_attribution():
    ig = method("eap-ig-inputs")
    found = ig.function(view(Level.EDGE), **ig.parameters({"steps": 1, "rule": "right"})).scores
    assert np.abs(found - scores("eap", Level.EDGE).scores).max() < TOLERANCE
