"""Pruning and counting of circuits."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import SETS, TINY, arrays
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn

from mibench.graph.circuit import Circuit, connected_nodes, prune
from mibench.graph.graph import BoolArray, Graph

D_MODEL = 3


@st.composite
def graphs_and_edges(draw: st.DrawFn) -> tuple[Graph, BoolArray]:
    graph = Graph(draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.booleans()))
    return graph, draw(drawn(np.bool_, graph.shape)) & graph.real_mask


@st.composite
def with_neurons(draw: st.DrawFn) -> tuple[Graph, BoolArray, BoolArray]:
    graph, edges = draw(graphs_and_edges())
    return graph, edges, draw(drawn(np.bool_, (graph.n_sources, D_MODEL)))


def _dangling(graph: Graph, edges: set[str]) -> set[str]:
    """Edges, by name, that start at a node nothing feeds or end at a node nobody reads."""
    split = {edge: edge.split("->") for edge in edges}
    fed = {"input"} | {end.split("<")[0] for _, end in split.values()}
    read = {"logits"} | {start for start, _ in split.values()}
    return {edge for edge, (start, end) in split.items() if start not in fed or end.split("<")[0] not in read}


def _named(graph: Graph, edges: BoolArray) -> set[str]:
    return {name for name in graph.edge_names() if edges[graph.edge_index(name)]}


@given(graphs_and_edges())
def test_pruning_removes_one_dangling_edge_after_another(case: tuple[Graph, BoolArray]) -> None:
    graph, edges = case
    left = _named(graph, edges)
    while dangling := _dangling(graph, left):
        left.remove(min(dangling))
    assert _named(graph, prune(graph, edges).edges) == left


@given(graphs_and_edges())
def test_pruning_is_idempotent_and_takes_only_away(case: tuple[Graph, BoolArray]) -> None:
    graph, edges = case
    before = edges.copy()
    once = prune(graph, edges)
    assert (edges == before).all()
    assert not (once.edges & ~edges).any()
    assert (prune(graph, once.edges).edges == once.edges).all()


@given(graphs_and_edges())
def test_every_kept_node_is_fed_and_read(case: tuple[Graph, BoolArray]) -> None:
    graph, edges = case
    kept = prune(graph, edges).edges
    fed = {int(node) for node in graph.destination_node[kept.any(axis=0)]} | {0}
    read = set(np.flatnonzero(kept.any(axis=1)).tolist()) | {-1}
    assert read - {-1} <= fed
    assert fed - {0} <= read
    assert set(np.flatnonzero(connected_nodes(graph, kept)).tolist()) == read - {-1}


def test_the_result_is_the_largest_circuit_without_dangling_nodes() -> None:
    rng = np.random.default_rng(0)
    for parallel in (False, True):
        graph = Graph(1, 1, parallel)
        for _ in range(6):
            edges = (rng.random(graph.shape) < 0.8) & graph.real_mask
            places = np.argwhere(edges)
            best = np.zeros(graph.shape, dtype=np.bool_)
            for code in range(2 ** len(places)):
                part = np.zeros(graph.shape, dtype=np.bool_)
                for bit, (row, column) in enumerate(places):
                    part[row, column] = bool(code >> bit & 1)
                if not _dangling(graph, _named(graph, part)):
                    best |= part
            assert (prune(graph, edges).edges == best).all()


@given(with_neurons())
def test_neurons_of_dropped_nodes_are_cleared(case: tuple[Graph, BoolArray, BoolArray]) -> None:
    graph, edges, neurons = case
    circuit = prune(graph, edges, neurons)
    assert circuit.neurons is not None
    kept = circuit.edges.any(axis=1)
    assert (circuit.neurons[kept] == neurons[kept]).all()
    assert not circuit.neurons[~kept].any()
    assert neurons[kept].any(axis=1).all()
    assert (prune(graph, edges & neurons.any(axis=1)[:, None]).edges == circuit.edges).all()


@given(with_neurons())
def test_weighted_edges_count_the_share_of_neurons(case: tuple[Graph, BoolArray, BoolArray]) -> None:
    graph, edges, neurons = case
    rows = np.nonzero(edges)[0].tolist()
    expected = sum(float(neurons[row].sum()) / D_MODEL for row in rows)
    assert Circuit(graph, edges, neurons).weighted_edges == pytest.approx(expected)
    assert Circuit(graph, edges).weighted_edges == Circuit(graph, edges).n_edges == len(rows)


def test_phantom_pairs_count_only_where_all_edges_are_counted() -> None:
    graph = Graph(2, 2)
    circuit = Circuit(graph, np.ones(graph.shape, dtype=np.bool_))
    assert circuit.weighted_edges == circuit.n_edges == graph.n_sources * graph.n_destinations
    assert circuit.weighted_real_edges == graph.n_edges
    assert (circuit.real_edges == graph.real_mask).all()


def test_full_and_empty_circuits_know_it() -> None:
    graph = Graph(2, 2)
    none, some = np.zeros(graph.shape, dtype=np.bool_), graph.real_mask.copy()
    some[0, 0] = False
    every_neuron = np.ones((graph.n_sources, D_MODEL), dtype=np.bool_)
    fewer = every_neuron.copy()
    fewer[1, 1] = False
    assert Circuit(graph, graph.real_mask).is_full
    assert Circuit(graph, graph.real_mask, every_neuron).is_full
    assert not Circuit(graph, graph.real_mask, fewer).is_full
    assert not Circuit(graph, some).is_full
    assert not Circuit(graph, some).is_empty
    assert Circuit(graph, none).is_empty
    assert Circuit(graph, ~graph.real_mask).is_empty


@pytest.mark.parametrize("which", SETS)
@pytest.mark.parametrize("name", TINY)
def test_random_circuits_are_pruned_as_in_the_reference(name: str, which: str) -> None:
    stored, graph = arrays(name), Graph(3 if name == "tiny_llama" else 2, 4)
    for index in range(5):
        at = f"{which}.eval.randedge{index}."
        circuit = prune(graph, stored[f"{at}mask_in"])
        assert (circuit.edges == stored[f"{at}mask_pruned"]).all()
        assert (connected_nodes(graph, circuit.edges) == stored[f"{at}nodes_pruned"]).all()
