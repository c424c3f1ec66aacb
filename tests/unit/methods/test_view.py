from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from golden_data import arrays, golden_model, golden_pairs

from mibench.core.errors import ArtifactError
from mibench.core.specs import Ablation, Level
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter


@pytest.fixture(scope="module")
def view() -> CircuitView:
    pairs = golden_pairs("tiny_gpt2", "A")
    return CircuitView(LanguageModel(golden_model("tiny_gpt2")), pairs, pairs)


def test_attribution_is_the_references(view):
    expected = arrays("tiny_gpt2", "outputs_corrected")["A.edge.EAP.patching.bs1"]
    assert np.abs(view.attribute() - expected).max() < 1e-9


def test_evaluation_is_on_validation_examples_and_is_counted(view):
    mask = arrays("tiny_gpt2")["A.eval.randedge0.mask_pruned"]
    with Meter() as meter:
        seen = dataclasses.replace(view, validation=view.train[:3], counter=meter)
        found = seen.evaluate([Circuit(view.graph, mask)], Ablation.ZERO)
    assert np.abs(found.circuits[0] - arrays("tiny_gpt2")["A.eval.randedge0.zero"][:3]).max() < 1e-9
    assert meter.cost().forward_passes > 0


def test_every_look_at_the_generator_starts_it_anew(view):
    assert view.generator.random() == view.generator.random()
    assert view.generator.random() != dataclasses.replace(view, seed=1).generator.random()


@pytest.mark.parametrize(("level", "shape"), [("edge", (11, 27)), ("node", (11,)), ("neuron", (11, 32))])
def test_scores_take_the_shape_of_the_level_and_keep_what_is_said_of_them(view, level, shape):
    found = dataclasses.replace(view, level=Level(level)).scores(np.random.default_rng(0).random(shape), kind="x")
    assert (found.level, found.meta, found.d_model) == (level, {"kind": "x"}, 32)
    with pytest.raises(ArtifactError):
        dataclasses.replace(view, level=Level(level)).scores(np.zeros((2, 2)))


def test_it_cannot_be_changed(view):
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.train = ()
