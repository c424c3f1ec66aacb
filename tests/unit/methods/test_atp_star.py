from __future__ import annotations

import numpy as np
import pytest
from golden_data import arrays, golden_model, golden_pairs

from mibench.core.specs import Ablation, Level
from mibench.engine.model import LanguageModel
from mibench.methods.circuit.atp_star import atp_star
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(golden_model("tiny_llama"))


def run(model: LanguageModel, level: Level = Level.EDGE, **parameters):
    pairs = golden_pairs("tiny_llama", "A")
    with Meter() as meter:
        found = atp_star.function(CircuitView(model, pairs, (), level, counter=meter), **parameters)
    cost = meter.cost()
    return found.scores, cost.forward_passes / len(pairs), cost.backward_passes / len(pairs)


def test_without_its_corrections_it_is_the_references_eap(model):
    expected = arrays("tiny_llama", "outputs_corrected")["A.edge.EAP.patching.bs1"]
    found = run(model, qk_fix=False, grad_drop=False)[0]
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_the_fix_brings_edges_into_queries_and_keys_nearer_to_exact_scores(model):
    exact = arrays("tiny_llama", "outputs_corrected")["A.edge.exact.patching.fresh"]
    slots = ["<q>" in label or "<k>" in label for label in model.graph.destination_names]
    plain, fixed = (run(model, qk_fix=fix, grad_drop=False)[0] for fix in (False, True))
    assert np.abs(fixed - exact)[:, slots].mean() < 0.8 * np.abs(plain - exact)[:, slots].mean()


@pytest.mark.parametrize(
    ("level", "parameters", "forward", "backward"),
    [
        (Level.EDGE, {}, 2 + 1 + 2 * 5 / 2, 3),
        (Level.EDGE, {"qk_fix": False}, 2, 3),
        (Level.EDGE, {"grad_drop": False}, 2 + 1 + 2 * 5 / 2, 1),
        (Level.NODE, {}, 2, 3),
        (Level.NODE, {"ablation": Ablation.ZERO}, 1, 3),
        (Level.NODE, {"ablation": Ablation.MEAN}, 2, 3),
    ],
)
def test_passes_are_those_that_the_docstring_claims(model, level, parameters, forward, backward):
    assert run(model, level, **parameters)[1:] == (forward, backward)


def test_scores_are_unsigned_exactly_with_dropped_gradients(model):
    assert run(model)[0].min() >= 0
    assert run(model, grad_drop=False)[0].min() < 0
