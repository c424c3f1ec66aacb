from __future__ import annotations

import numpy as np
import pytest

from mibench.artifacts.truth_scores import flawed, true_edges, truth_scores
from mibench.core.errors import UsageError
from mibench.core.specs import Level
from mibench.core.truth import TaskTruth
from mibench.graph.graph import Graph

GRAPH = Graph(2, 2)
EDGES = ("input->a0.h1<v>", "a0.h1->m1", "m1->logits")


def named(mask):
    return {f"{GRAPH.source_names[row]}->{GRAPH.destination_names[column]}" for row, column in np.argwhere(mask)}


def test_true_edges_are_those_that_are_named():
    assert named(true_edges(GRAPH, TaskTruth(edges=EDGES))) == set(EDGES)


def test_an_edge_of_a_head_stands_for_its_three_slots():
    found = named(true_edges(GRAPH, TaskTruth(edges=EDGES, resolution="head")))
    assert found == set(EDGES) | {"input->a0.h1<q>", "input->a0.h1<k>"}


def test_an_edge_that_the_graph_does_not_have_is_refused():
    with pytest.raises(UsageError, match="Unknown source node"):
        true_edges(GRAPH, TaskTruth(edges=("a9.h0->logits",)))


def test_nodes_are_true_where_an_edge_begins_or_ends():
    found = truth_scores(GRAPH, TaskTruth(edges=EDGES), Level.NODE)
    assert {name for name, score in zip(GRAPH.source_names, found, strict=True) if score} == {"input", "a0.h1", "m1"}


@pytest.mark.parametrize(("kept", "n"), [(1.0, 3), (0.67, 2), (0.0, 0)])
def test_a_mistake_exchanges_a_true_edge_for_a_false_one(kept, n):
    scores = truth_scores(GRAPH, TaskTruth(edges=EDGES))
    found = flawed(scores, GRAPH.real_mask, kept, np.random.default_rng(0))
    again = flawed(scores, GRAPH.real_mask, kept, np.random.default_rng(0))
    assert (found == again).all()
    assert found.sum() == 3
    assert (found * scores).sum() == n
    assert not found[~GRAPH.real_mask].any()
