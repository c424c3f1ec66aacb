from __future__ import annotations

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores
from mibench.core.specs import Level
from mibench.graph.graph import Graph
from mibench.intake.smoke.variants import flipped, rolled


def names_of(scores):
    """What is scored above 0, by name."""
    return {scores.item_name(tuple(index)): float(scores.scores[tuple(index)]) for index in np.argwhere(scores.scores)}


def edges(graph, **values):
    scores = np.zeros(graph.shape)
    for name, value in values.items():
        scores[graph.edge_index(name)] = value
    return CircuitScores(graph, Level.EDGE, scores)


@pytest.mark.parametrize("parallel", [False, True])
def test_every_layer_is_raised_by_one(parallel):
    graph = Graph(4, 2, parallel)
    own = edges(graph, **{"input->a1.h1<k>": 1, "a0.h1->m2": 2, "m1->a2.h0<q>": 3, "input->logits": 4, "m2->logits": 5})
    assert names_of(rolled(own, 1)) == {
        "input->a2.h1<k>": 1,
        "a1.h1->m3": 2,
        "m2->a3.h0<q>": 3,
        "input->logits": 4,
        "m3->logits": 5,
    }


def test_lowering_undoes_raising_where_no_edge_is_lost():
    graph = Graph(5, 3)
    own = edges(graph, **{"input->a1.h2<v>": 1, "a1.h2->a2.h0<q>": 2, "a2.h0->m3": 3, "m3->logits": 4})
    assert np.array_equal(rolled(rolled(own, 1), -1).scores, own.scores)


def test_what_would_be_no_edge_is_lost_and_real_edges_stay_the_scored_ones():
    graph = Graph(2, 1)
    made = rolled(edges(graph, **{"a0.h0->a1.h0<q>": 1, "input->m1": 2}), 1)
    assert names_of(made) == {"input->m0": 2}
    assert np.array_equal(made.scored, graph.real_mask)


def test_nodes_and_neurons_are_raised_with_what_is_scored():
    graph = Graph(3, 1)
    values = np.array([1.0, 2, np.nan, 4, 5, 6, 7])
    made = rolled(CircuitScores(graph, Level.NODE, values), 1)
    assert made.scored.tolist() == [True, True, True, True, False, True, True]
    assert made.scores.tolist() == [1, 6, 7, 2, 0, 4, 5]
    neurons = CircuitScores(graph, Level.NEURON, np.arange(14.0).reshape(7, 2), 2)
    assert rolled(neurons, -1).scores[:, 0].tolist() == [0, 6, 8, 10, 12, 2, 4]


def test_flipping_turns_the_sign_and_nothing_else():
    own = edges(Graph(2, 1), **{"input->m0": 1.5, "m0->logits": -2})
    assert np.array_equal(flipped(own).scores, -own.scores)
    assert flipped(flipped(own)).digest == own.digest
