"""Rankings of models whose edges are known: a right one passes, and each usual mistake gets its own warning."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.series import BUDGETS, Member, series_of
from mibench.artifacts.truth_scores import true_edges, true_nodes
from mibench.core.specs import Level, Ranking
from mibench.intake.smoke.circuits import circuit_warning
from mibench.intake.smoke.variants import flipped, rolled
from mibench.models.known import truth_of
from mibench.runner.cells.workbench import Workbench

DEEP = "siit-ioi"
"""Six layers, of which the first has no true edge."""


@cache
def bench(name=DEEP):
    return Workbench.load(name, dtype="float32", device="cpu", attention=None)


@cache
def truth(name=DEEP, level=Level.EDGE):
    """What is true, above noise."""
    model, noise = bench(name).model, np.random.default_rng(0)
    known = true_edges(model.graph, truth_of(name).tasks[name])
    known = known if level is Level.EDGE else true_nodes(model.graph, known)
    return CircuitScores(model.graph, level, known + 0.1 * noise.random(known.shape), model.anatomy.d_model)


def warning(scores, name=DEEP):
    return circuit_warning(scores, bench(name), name, 10)


def test_what_is_true_passes():
    assert warning(truth()) is None


def test_a_flipped_sign_is_told():
    found = warning(flipped(truth()))
    assert "it scores better with the sign flipped (distance 0.0" in found
    assert found.startswith("looks wrong: on 10 validation rows of siit-ioi")
    assert found.endswith("turn the sign of the scores.")


@pytest.mark.parametrize(("by", "words"), [(-1, "raised"), (1, "lowered")])
def test_layers_that_are_counted_wrongly_are_told(by, words):
    found = warning(rolled(truth(level=Level.NODE), by))
    assert f"it scores better with every layer {words} by one (distance 0.0" in found


def test_edges_between_layers_that_are_counted_wrongly_are_told():
    assert "with every layer raised by one (distance 0.0" in warning(rolled(truth(), -1))


def test_random_scores_are_told():
    own = truth("siit-hop")
    noise = np.random.default_rng(3).normal(size=own.shape) * own.graph.real_mask
    assert "it is not clearly better than random ones (" in warning(replace(own, scores=noise), "siit-hop")


def members(scores, share):
    """The best items of scores, so many that they are a share of all."""
    order = np.argsort(-scores.scores[scores.graph.real_mask], kind="stable")
    kept = np.zeros(scores.graph.n_edges, dtype=bool)
    kept[order[: int(share * scores.graph.n_edges)]] = True
    found = np.zeros(scores.shape, dtype=bool)
    found[scores.graph.real_mask] = kept
    return found


def test_one_circuit_is_held_against_random_ones_of_its_size():
    own = replace(truth(), binary=True, in_graph=truth().scores > 0.5)
    assert warning(own) is None
    shuffled = np.random.default_rng(1).permutation(own.in_graph[own.graph.real_mask])
    wrong = np.zeros(own.shape, dtype=bool)
    wrong[own.graph.real_mask] = shuffled
    assert "it is not clearly better than random ones (" in warning(replace(own, in_graph=wrong))


def test_nine_circuits_are_held_against_random_ones_of_their_sizes():
    def series(scores):
        circuits = [Member(str(share), members(scores, share)) for share in BUDGETS]
        return series_of(scores.graph, Level.EDGE, scores.d_model, {Ranking.ABSOLUTE: circuits})

    assert warning(series(truth())) is None
    assert "it is not clearly better than random ones (" in warning(series(flipped(truth())))
