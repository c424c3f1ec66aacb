from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from golden_data import golden_model, golden_pairs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mibench.artifacts.selection import Selection
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.specs import Level
from mibench.engine.model import LanguageModel
from mibench.methods.circuit.eap import eap
from mibench.methods.circuit.eap_ig_activations import eap_ig_activations
from mibench.methods.circuit.eap_ig_inputs import eap_ig_inputs
from mibench.methods.circuit.ensemble import ensemble
from mibench.methods.circuit.hybrid_ensemble import hybrid_ensemble
from mibench.methods.combine import normalised
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter

TABLES = arrays(float, (3, 4), elements=st.integers(-5, 5).map(float))


@pytest.fixture(scope="module")
def view() -> CircuitView:
    return CircuitView(LanguageModel(golden_model("tiny_gpt2")), golden_pairs("tiny_gpt2", "A")[:4], ())


@pytest.fixture(scope="module")
def parts(view: CircuitView) -> list[np.ndarray]:
    return [one.function(view).scores for one in (eap, eap_ig_inputs, eap_ig_activations)]


def near(found, expected) -> bool:
    return bool(np.abs(found - expected).max() < 1e-12)


def test_it_is_the_mean_of_its_members(view, parts):
    assert near(ensemble.function(view).scores, np.mean(parts, axis=0))


@pytest.mark.parametrize(("combine", "expected"), [("min", np.min), ("max", np.max)])
def test_the_smallest_or_largest_score_counts(view, parts, combine, expected):
    found = ensemble.function(view, members="eap,eap-ig-inputs", combine=combine).scores
    assert near(found, expected(parts[:2], axis=0))


def test_weights_need_not_sum_to_one(view, parts):
    found = ensemble.function(view, members="eap, eap-ig-inputs", weights="3, 1").scores
    assert near(found, 0.75 * parts[0] + 0.25 * parts[1])


def test_members_take_parameters_of_their_own(view):
    found = ensemble.function(view, members="eap-ig-inputs?steps=2&rule=right").scores
    assert near(found, eap_ig_inputs.function(view, steps=2, rule="right").scores)


def test_normalised_members_are_averaged(view, parts):
    found = ensemble.function(view, normalise="max").scores
    assert near(found, np.mean([part / np.abs(part).max() for part in parts], axis=0))


def test_ranks_keep_signs_and_zeros_and_share_ties():
    scores = np.array([[-4.0, 0.0, 1.0], [1.0, 9.0, 0.0]])
    expected = np.array([[-3.0, 0.0, 1.5], [1.5, 4.0, 0.0]]) / 4
    assert np.array_equal(normalised(scores, "rank"), expected)


@given(TABLES, st.sampled_from(["none", "max", "rank"]))
def test_normalising_keeps_the_order_of_magnitudes_and_signs(scores, how):
    found = normalised(scores, how)
    assert np.array_equal(np.sign(found), np.sign(scores))
    flat, before = np.abs(found).ravel(), np.abs(scores).ravel()
    assert np.array_equal(flat[:, None] < flat, before[:, None] < before)
    if how != "none" and scores.any():
        assert np.abs(found).max() <= 1


def test_members_that_draw_are_for_the_hybrid(view):
    with pytest.raises(UsageError, match="random"):
        ensemble.function(view, members="eap,random")
    found = hybrid_ensemble.function(view, members="eap,random").scores
    drawn = np.where(view.graph.real_mask, view.generator.random(view.graph.shape), 0)
    assert near(found, (eap.function(view).scores + drawn) / 2)


def test_the_selection_is_handed_on(view):
    assert ensemble.function(view, members="eap", selection="ilp").selection == Selection(rule="ilp")


def test_passes_are_those_of_the_members(view):
    with Meter() as meter:
        ensemble.function(dataclasses.replace(view, counter=meter))
    layers, n = view.graph.n_layers, len(view.train)
    groups = 5 * (2 * layers + 1) - 2 * layers
    assert (meter.cost().forward_passes / n, meter.cost().backward_passes / n) == (groups + 10, groups + 6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": "eap,no-such"},
        {"members": ""},
        {"members": "ensemble"},
        {"members": "hybrid-ensemble"},
        {"members": "eap?no=1"},
        {"members": "eap-ig-inputs?steps=0"},
        {"members": "eap", "weights": "1,2"},
        {"members": "eap", "weights": "x"},
        {"members": "eap", "weights": "nan"},
        {"members": "eap,eap", "weights": "1,-1"},
        {"members": "eap", "weights": "1", "combine": "min"},
    ],
)
def test_what_cannot_be_combined_is_refused_before_anything_is_run(view, wrong):
    with Meter() as meter, pytest.raises(UsageError):
        ensemble.function(dataclasses.replace(view, counter=meter), **wrong)
    assert meter.cost().forward_passes == 0


def test_members_of_another_level_are_refused(view):
    with pytest.raises(ArtifactError, match="nap"):
        ensemble.function(view, members="nap")
    with pytest.raises(ArtifactError):
        ensemble.function(dataclasses.replace(view, level=Level.NODE))
