from __future__ import annotations

import dataclasses
from statistics import NormalDist

import numpy as np
import pytest
from golden_data import golden_model, golden_pairs
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mibench.artifacts.selection import Selection
from mibench.core.errors import UsageError
from mibench.engine.model import LanguageModel
from mibench.methods.circuit.eap_ig_bootstrap import certain, eap_ig_bootstrap
from mibench.methods.circuit.eap_ig_inputs import eap_ig_inputs
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter


@pytest.fixture(scope="module")
def view() -> CircuitView:
    return CircuitView(LanguageModel(golden_model("tiny_llama")), golden_pairs("tiny_llama", "B"), ())


def test_without_draws_it_is_eap_ig_inputs_under_another_selection(view):
    found = eap_ig_bootstrap.function(view, resamples=0, selection="ilp")
    assert np.abs(found.scores - eap_ig_inputs.function(view).scores).max() < 1e-12
    assert found.selection == Selection(rule="ilp")


@pytest.mark.parametrize("rule", ["pnr", "pnr+ilp"])
def test_the_share_of_positive_edges_is_part_of_the_selection(view, rule):
    found = eap_ig_bootstrap.function(view, selection=rule, positive_share=0.7)
    assert (found.selection.rule, found.selection.positive_share) == (rule, 0.7)


def test_scores_are_kept_or_zero_as_a_plain_bootstrap_says(view):
    each = np.stack([eap_ig_inputs.function(dataclasses.replace(view, train=[pair])).scores for pair in view.train])
    counts = view.generator.multinomial(7, np.full(7, 1 / 7), size=30)
    means = np.stack([np.repeat(each, count, axis=0).mean(0) for count in counts])
    spread = np.sqrt(((means - means.mean(0)) ** 2).sum(0) / 29)
    kept = np.abs(each.mean(0)) > NormalDist().inv_cdf(0.95) * spread
    found = eap_ig_bootstrap.function(view, resamples=30, confidence=0.9).scores
    assert np.abs(found - np.where(kept, each.mean(0), 0)).max() < 1e-12
    assert 0.05 < kept[view.graph.real_mask].mean() < 0.95


def test_more_confidence_keeps_no_more_edges(view):
    kept = [eap_ig_bootstrap.function(view, confidence=share).scores != 0 for share in (0.5, 0.9, 0.999)]
    assert (kept[1] <= kept[0]).all()
    assert (kept[2] <= kept[1]).all()
    assert kept[0].sum() > kept[1].sum() > kept[2].sum()


@given(arrays(float, 6, elements=st.floats(-5, 5)), st.floats(0.01, 0.99))
def test_draws_that_agree_leave_every_score(scores, confidence):
    assert np.array_equal(certain(scores, np.stack([scores] * 3), confidence), scores)


def test_an_interval_that_holds_zero_gives_zero():
    scores, drawn = np.array([1.0, 1.0, -1.0, -1.0]), np.array([[-0.6] * 4, [0.6] * 4]) * [1, 0.5, 1, 0.5]
    # sd is 0.85 and 0.42; z = 1.96.
    assert certain(scores, drawn, 0.95).tolist() == [0, 1, 0, -1]
    assert certain(scores, drawn[:1], 0.95).tolist() == scores.tolist()


def test_passes_are_those_of_eap_ig_inputs(view):
    with Meter() as meter:
        eap_ig_bootstrap.function(dataclasses.replace(view, counter=meter), steps=3)
    assert (meter.cost().forward_passes / 7, meter.cost().backward_passes / 7) == (4, 3)


@pytest.mark.parametrize("wrong", [{"resamples": -1}, {"confidence": 1}, {"selection": "best"}, {"positive_share": 2}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(UsageError):
        eap_ig_bootstrap.parameters(wrong)
