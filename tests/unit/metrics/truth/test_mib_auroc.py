"""MIB's AUROC beside an imitation in plain Python, and beside what its code gave on a toy."""

from __future__ import annotations

import heapq
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.artifacts.circuit import CircuitScores
from mibench.core.specs import Level, Ranking
from mibench.core.truth import TaskTruth
from mibench.graph.graph import Graph
from mibench.graph.greedy import greedy_order
from mibench.graph.select import FRACTIONS, rank_edges
from mibench.metrics.truth.edge_table import read_items
from mibench.metrics.truth.mib_auroc import auroc_mib, best_first
from mibench.tracks.truth import edge_truth_table

seeds = st.integers(0, 2**32 - 1)
TOY = Graph(6, 4)


def items_of(graph, scores, edges):
    artifact = CircuitScores(graph, Level.EDGE, np.where(graph.real_mask, scores, 0))
    return read_items(edge_truth_table(graph, artifact, TaskTruth(edges=tuple(edges))))


def node_of(destination):
    return destination.partition("<")[0]


def naive_circuit(graph, score, n):
    """Merge sorted lists from logits on while a float is above 0, then prune, all by name."""
    edges = [tuple(name.split("->")) for name in graph.edge_names()]

    def into(node):
        return sorted((edge for edge in edges if node_of(edge[1]) == node), key=score, reverse=True)

    kept, reached, frontier = set(), set(), iter(into("logits"))
    while n > 0:
        n -= 1
        edge = next(frontier)
        kept.add(edge)
        if edge[0] not in reached:
            reached.add(edge[0])
            frontier = heapq.merge(frontier, into(edge[0]), key=score, reverse=True)
    while True:
        fed = {node_of(destination) for _, destination in kept} | {"input"}
        read = {source for source, _ in kept} | {"logits"}
        smaller = {edge for edge in kept if edge[0] in fed & read and node_of(edge[1]) in fed & read}
        if smaller == kept:
            return kept
        kept = smaller


def naive_auroc(graph, scores, true):
    def score(edge):
        return abs(scores[graph.source_index(edge[0]), graph.destination_index(edge[1])])

    names = graph.edge_names()
    points = []
    for fraction in FRACTIONS:
        kept = {"->".join(edge) for edge in naive_circuit(graph, score, fraction * len(names))}
        points.append((len(kept & true) / len(true), len(kept - true) / (len(names) - len(true))))
    last = points[-1][1]
    return sum((b[1] - a[1]) / last * (a[0] + b[0]) / 2 for a, b in pairwise(points))


@pytest.mark.parametrize("parallel", [False, True])
@given(seed=seeds, n_true=st.integers(1, 20))
@settings(max_examples=15, deadline=None)
def test_it_is_what_an_imitation_in_plain_python_gives(parallel, seed, n_true):
    graph, rng = Graph(2, 2, parallel), np.random.default_rng(seed)
    scores = rng.normal(size=graph.shape)
    true = set(rng.choice(graph.edge_names(), n_true, replace=False).tolist())
    found = auroc_mib(items_of(graph, scores, true)).value
    assert found == pytest.approx(naive_auroc(graph, scores, true), abs=1e-12)


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_ties_go_to_the_destination_that_was_reached_first(seed):
    graph, rng = Graph(2, 2), np.random.default_rng(seed)
    scores = rng.integers(-2, 3, size=graph.shape).astype(float)
    order = best_first(graph, np.where(graph.real_mask, np.abs(scores), -np.inf))
    turns = {"logits": 0}
    taken = [
        (graph.source_names[p // graph.n_destinations], graph.destination_names[p % graph.n_destinations])
        for p in order
    ]
    before = None
    for source, destination in taken:
        here = (
            abs(scores[graph.source_index(source), graph.destination_index(destination)]),
            turns[node_of(destination)],
        )
        if before is not None and before[0] == here[0]:
            assert before[1] <= here[1]
        turns.setdefault(source, len(turns))
        before = here
    assert len(set(taken)) == graph.n_edges


@given(seed=seeds)
@settings(max_examples=15, deadline=None)
def test_without_ties_the_search_is_the_greedy_selection(seed):
    graph = Graph(3, 2)
    scores = np.random.default_rng(seed).normal(size=graph.shape)
    order = best_first(graph, np.where(graph.real_mask, np.abs(scores), -np.inf))
    assert (order == greedy_order(graph, rank_edges(graph, scores, Ranking.ABSOLUTE))).all()


def test_an_edge_without_a_score_leaves_no_number():
    graph, rng = Graph(2, 2), np.random.default_rng(0)
    true = graph.edge_names()[:5]
    artifact = CircuitScores(graph, Level.EDGE, np.where(graph.real_mask, rng.normal(size=graph.shape), 0))
    table = edge_truth_table(graph, artifact, TaskTruth(edges=tuple(true)))
    some = table.assign(score=table["score"].where(table.index != 3))
    found = auroc_mib(read_items(some))
    assert (found.value, found.reason) == (None, "some edges have no score, and MIB's search needs one of each")
