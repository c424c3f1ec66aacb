from __future__ import annotations

import numpy as np
import pytest
from golden_data import arrays, golden_model, golden_pairs

from mibench.core.specs import Ablation, Level
from mibench.engine.model import LanguageModel
from mibench.methods.circuit.exact import exact
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(golden_model("tiny_gpt2"))


def view(model: LanguageModel, level: Level, meter: Meter | None = None) -> CircuitView:
    return CircuitView(model, golden_pairs("tiny_gpt2", "A"), (), level, counter=meter or Meter())


@pytest.mark.parametrize("level", [Level.EDGE, Level.NODE])
def test_it_is_the_references_exact_with_a_fresh_graph_for_each(model, level):
    expected = arrays("tiny_gpt2", "outputs_corrected")[f"A.{level}.exact.patching.fresh"]
    assert np.abs(exact.function(view(model, level)).scores - expected).max() < 1e-10


def test_it_is_the_references_exact_under_zero_ablation(model):
    found = exact.function(view(model, Level.EDGE), ablation=Ablation.ZERO).scores
    assert np.abs(found - arrays("tiny_gpt2")["A.edge.exact.zero"]).max() < 1e-10


@pytest.mark.parametrize(("level", "share"), [(Level.EDGE, 1 / 3), (Level.NODE, 1 / 2), (Level.NEURON, 1 / 2)])
def test_passes_are_about_those_that_the_docstring_claims(model, level, share):
    with Meter() as meter:
        items = exact.function(view(model, level, meter)).n_scored
    claimed = 2 + model.graph.n_layers + share * items
    assert meter.cost().forward_passes / 8 == pytest.approx(claimed, rel=0.2)
    assert meter.cost().backward_passes == 0
