"""What the attribution methods ask of the engine, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from golden_data import golden_model, golden_pairs

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import UsageError
from mibench.core.specs import Ablation, Level
from mibench.engine.attribution.activations import attribute_activations_like_eap_ig
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.attribution.nodes import attribute_nodes
from mibench.engine.model import LanguageModel
from mibench.methods.method import METHODS
from mibench.methods.steps import step_points
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter

EXACT = 1e-10
PAIRS = golden_pairs("tiny_llama", "B")[:4]
N_GROUPS = 7
"""Of tiny_llama: the input, and heads and MLP of three layers."""


@cache
def view(level: str = "edge", seed: int = 0) -> CircuitView:
    return CircuitView(LanguageModel(golden_model("tiny_llama")), PAIRS, PAIRS, Level(level), seed)


def scores(name: str, on: CircuitView | None = None, **given: object) -> CircuitScores:
    method = METHODS.load(name)
    on = on or view(method.levels[0])
    return method.function(on, **method.parameters(given))


def difference(one: CircuitScores, other: CircuitScores) -> float:
    return float(np.abs(one.scores - other.scores).max() / np.abs(other.scores).max())


@pytest.mark.parametrize(
    ("name", "given", "forward", "backward"),
    [
        ("nap", {}, 2, 1),
        ("nap", {"ablation": "zero"}, 1, 1),
        ("nap", {"ablation": "mean"}, 2, 1),
        ("nap-ig", {}, 11, 10),
        ("nap-ig", {"variant": "mib"}, 6, 5),
        ("nap-ig", {"steps": 3}, 4, 3),
        ("nap-ig", {"steps": 3, "rule": "midpoint"}, 5, 3),
        ("clean-corrupted", {}, 2, 2),
        ("expected-gradients", {}, 3, 1),
        ("expected-gradients", {"steps": 4}, 6, 4),
        ("expected-gradients", {"steps": 4, "ablation": "zero"}, 5, 4),
        ("ifr", {}, 1, 0),
        ("eap-ig-activations", {"rule": "midpoint"}, 5 * N_GROUPS + 2, 5 * N_GROUPS),
        ("eap-ig-activations", {}, 5 * N_GROUPS + 2 - (N_GROUPS - 1), 5 * N_GROUPS - (N_GROUPS - 1)),
        ("eap-ig-activations", {"variant": "mib"}, 5 * N_GROUPS + 2, 5 * N_GROUPS),
        ("eap-ig-activations", {"steps": 1, "rule": "left", "ablation": "zero"}, N_GROUPS + 1, N_GROUPS),
    ],
)
def test_passes_are_those_that_the_docstring_claims(name, given, forward, backward):
    with Meter() as meter:
        scores(name, replace(view(METHODS.load(name).levels[0]), counter=meter), **given)
    assert (meter.cost().forward_passes / len(PAIRS), meter.cost().backward_passes / len(PAIRS)) == (forward, backward)


@pytest.mark.parametrize("level", ["node", "neuron"])
def test_one_step_at_the_clean_end_is_node_attribution_patching(level):
    on = view(level)
    assert difference(scores("nap-ig", on, steps=1), scores("nap", on)) < EXACT
    assert difference(scores("nap-ig", on, steps=1, variant="mib"), scores("nap", on, variant="mib")) < EXACT
    assert difference(scores("nap", on, variant="mib"), scores("nap", on)) > 1e-3


def test_neurons_of_a_node_sum_to_its_score():
    assert np.abs(scores("nap", view("neuron")).scores.sum(axis=1) - scores("nap").scores).max() < EXACT


def test_steps_of_nodes_are_ten_and_mibs_five():
    assert np.array_equal(scores("nap-ig").scores, scores("nap-ig", steps=10).scores)
    assert np.array_equal(scores("nap-ig", variant="mib").scores, scores("nap-ig", variant="mib", steps=5).scores)


def test_clean_corrupted_is_the_mean_of_both_ends():
    ends = [scores("eap-ig-inputs", steps=1, rule=rule).scores for rule in ("left", "right")]
    assert np.abs(scores("clean-corrupted").scores - np.mean(ends, axis=0)).max() < EXACT


@pytest.mark.parametrize("level", ["edge", "node", "neuron"])
def test_expected_gradients_draw_points_for_every_example_and_step(level):
    alphas = np.random.default_rng(7).random((3, len(PAIRS)))
    alone = []
    for pair, own in zip(PAIRS, alphas.T, strict=True):
        options = Attribution(alphas=tuple(own))
        if level == "edge":
            alone.append(attribute_edges(view().model, [pair], options))
        else:
            alone.append(attribute_nodes(view().model, [pair], options, neurons=level == "neuron"))
    found = scores("expected-gradients", view(level, seed=7), steps=3)
    assert np.abs(found.scores - np.mean(alone, axis=0)).max() < EXACT
    assert difference(scores("expected-gradients", view(level, seed=8), steps=3), found) > 1e-3


def test_activations_at_the_clean_end_are_plain_attribution():
    assert difference(scores("eap-ig-activations", steps=1), scores("eap")) < EXACT
    assert difference(scores("eap-ig-activations"), scores("eap")) > 1e-3


@pytest.mark.parametrize("ablation", list(Ablation))
def test_activations_of_the_package_move_from_zero_under_mean_ablation(ablation):
    on = view()
    options = on.attribution(ablation, "mib", alphas=(0.5, 1.0))
    start = on.constants(Ablation.ZERO, processed=True) if "mean" in ablation else None
    expected = attribute_activations_like_eap_ig(on.model, PAIRS, options, start=start)
    found = scores("eap-ig-activations", variant="mib", ablation=ablation, steps=2)
    assert np.abs(found.scores - expected).max() < EXACT
    assert difference(scores("eap-ig-activations", ablation=ablation, steps=2), found) > 1e-3


def test_information_flow_asks_for_greedy_circuits():
    found = scores("ifr")
    assert found.selection.rule == "greedy"
    found.validate()


@pytest.mark.parametrize(
    ("rule", "first", "last"), [("left", 0.0, 0.75), ("midpoint", 0.125, 0.875), ("right", 0.25, 1.0)]
)
def test_rules_place_steps_evenly(rule, first, last):
    points = step_points(4, rule)
    assert (points[0], points[-1], len(points)) == (first, last, 4)
    assert np.allclose(np.diff(points), 0.25)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("nap-ig", {"steps": 0}),
        ("nap-ig", {"steps": "many"}),
        ("nap-ig", {"rule": "centre"}),
        ("eap-ig-activations", {"steps": 1001}),
        ("expected-gradients", {"steps": 0}),
        ("clean-corrupted", {"variant": "other"}),
        ("ifr", {"steps": 5}),
    ],
)
def test_parameters_out_of_range_are_refused(name, given):
    with pytest.raises(UsageError):
        METHODS.load(name).parameters(given)
