"""From scores to circuits."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import SETS, TINY, arrays
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn
from numpy.typing import NDArray

from mibench.core.specs import Ranking
from mibench.graph.circuit import Circuit, connected_nodes
from mibench.graph.graph import Graph
from mibench.graph.select import (
    FRACTIONS,
    circuit_of_edges,
    circuit_of_neurons,
    circuit_of_nodes,
    node_edges,
    rank_order,
    requested,
    top_n_edges,
    top_n_items,
)

RANKINGS = {"abs1": Ranking.ABSOLUTE, "abs0": Ranking.SIGNED}
few_values = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0])
GRAPH = Graph(2, 2)


@given(drawn(np.float64, GRAPH.shape, elements=few_values), st.integers(0, GRAPH.n_edges), st.sampled_from(Ranking))
def test_the_best_edges_are_taken_and_ties_go_to_the_first(
    scores: NDArray[np.float64], n: int, ranking: Ranking
) -> None:
    mask = top_n_edges(GRAPH, scores, n, ranking)
    places = [(row, column) for row, column in np.argwhere(GRAPH.real_mask).tolist()]
    key = (lambda place: -abs(scores[place])) if ranking is Ranking.ABSOLUTE else (lambda place: -scores[place])
    assert set(map(tuple, np.argwhere(mask).tolist())) == set(sorted(places, key=key)[:n])
    assert mask.sum() == n


@given(drawn(np.float64, GRAPH.shape, elements=few_values), st.integers(0, GRAPH.n_edges - 1))
def test_larger_circuits_hold_smaller_ones(scores: NDArray[np.float64], n: int) -> None:
    small, large = (circuit_of_edges(GRAPH, scores, size, Ranking.ABSOLUTE).edges for size in (n, n + 1))
    assert not (small & ~large).any()


@given(
    drawn(np.float64, (4, 3), elements=few_values),
    drawn(np.bool_, (4, 3)),
    st.integers(0, 12),
    st.sampled_from(Ranking),
)
def test_items_without_a_score_are_always_kept(
    scores: NDArray[np.float64], scored: NDArray[np.bool_], n: int, ranking: Ranking
) -> None:
    kept = top_n_items(np.where(scored, scores, np.nan), scored, n, ranking)
    assert kept[~scored].all()
    assert kept[scored].sum() == min(n, scored.sum())
    key = np.abs(scores) if ranking is Ranking.ABSOLUTE else scores
    if kept[scored].any() and not kept.all():
        assert key[scored & kept].min() >= key[scored & ~kept].max()


def test_ranking_is_stable() -> None:
    scores = np.array([1.0, -3.0, 1.0, 0.0, 3.0, -0.0])
    assert rank_order(scores, Ranking.SIGNED).tolist() == [4, 0, 2, 3, 5, 1]
    assert rank_order(scores, Ranking.ABSOLUTE).tolist() == [1, 4, 0, 2, 3, 5]


def test_sizes_are_rounded_down_as_in_mib() -> None:
    sizes = [requested(fraction, 32_491) for fraction in FRACTIONS]
    assert sizes == [32, 64, 162, 324, 649, 1624, 3249, 6498, 16245, 32491]


@given(drawn(np.bool_, GRAPH.n_sources))
def test_edges_of_nodes_join_kept_nodes_only(nodes: NDArray[np.bool_]) -> None:
    kept = {name for name, keep in zip(GRAPH.source_names, nodes, strict=True) if keep} | {"logits"}
    expected = {name for name in GRAPH.edge_names() if {name.split("->")[0], name.split("->")[1].split("<")[0]} <= kept}
    edges = node_edges(GRAPH, nodes)
    assert {name for name in GRAPH.edge_names() if edges[GRAPH.edge_index(name)]} == expected
    phantom = node_edges(GRAPH, nodes, phantom=True)
    assert (phantom & GRAPH.real_mask == edges).all()
    assert not (edges & ~GRAPH.real_mask).any()
    assert phantom.sum() == nodes.sum() * (1 + sum(3 if ".h" in name else 1 for name in kept - {"input", "logits"}))


def test_all_nodes_of_gpt2_make_mibs_phantom_count() -> None:
    graph = Graph(12, 12)
    nodes = np.ones(graph.n_sources, dtype=np.bool_)
    assert circuit_of_nodes(graph, nodes, phantom=True).weighted_edges == 69_865
    assert circuit_of_nodes(graph, nodes).weighted_edges == 32_491


def _cases(name: str, which: str, level: str, ranking: str) -> list[tuple[int, int]]:
    return list(enumerate(arrays(name)[f"{which}.select.{level}.n"].tolist()))


every_case = pytest.mark.parametrize(
    ("name", "which", "ranking"), [(name, which, ranking) for name in TINY for which in SETS for ranking in RANKINGS]
)


def _graph(name: str) -> Graph:
    return Graph(3 if name == "tiny_llama" else 2, 4)


@every_case
def test_best_edges_are_the_references(name: str, which: str, ranking: str) -> None:
    stored, graph = arrays(name), _graph(name)
    scores, at = stored[f"{which}.edge.EAP-IG-inputs_5.patching"], f"{which}.select.edge.{ranking}."
    equal = 0
    for row, size in _cases(name, which, "edge", ranking):
        mask = top_n_edges(graph, scores, size, RANKINGS[ranking])
        differs = mask != stored[f"{at}topn_noprune_mask"][row]
        # Exact zeros are ordered by an unstable sort there.
        assert (scores[differs] == 0).all()
        if not differs.any():
            circuit = circuit_of_edges(graph, scores, size, RANKINGS[ranking])
            assert (circuit.edges == stored[f"{at}topn_pruned_mask"][row]).all()
            assert (connected_nodes(graph, circuit.edges) == stored[f"{at}topn_pruned_nodes"][row]).all()
            equal += 1
    assert equal >= 9


@every_case
@pytest.mark.parametrize("level", ["node", "neuron"])
def test_best_nodes_and_neurons_with_phantom_edges_are_the_references(
    name: str, which: str, ranking: str, level: str
) -> None:
    stored, graph = arrays(name), _graph(name)
    scores, at = stored[f"{which}.{level}.EAP-IG-inputs_5.patching"], f"{which}.select.{level}.{ranking}."
    for row, size in _cases(name, which, level, ranking):
        kept = top_n_items(scores, np.isfinite(scores), size, RANKINGS[ranking])
        build = circuit_of_nodes if level == "node" else circuit_of_neurons
        circuit: Circuit = build(graph, kept, phantom=True)
        assert (circuit.edges == stored[f"{at}topn_pruned_mask"][row]).all()
        # Phantom edges can feed a node that no real edge feeds, never the other way round.
        assert not (build(graph, kept).edges & ~circuit.real_edges).any()
        if level == "neuron":
            assert (circuit.neurons == stored[f"{at}topn_pruned_neurons"][row]).all()
