"""Names, order and counts of the graph."""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_data import GOLDEN, TINY, arrays
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import ArtifactError, UsageError
from mibench.graph.graph import Graph

SIZES = {
    "GPT-2 small": (12, 12, 157, 445, 32_491),
    "Qwen2.5-0.5B": (24, 14, 361, 1_033, 179_749),
    "Gemma-2-2B": (26, 8, 235, 651, 74_218),
    "Llama-3.1-8B": (32, 32, 1_057, 3_105, 1_592_881),
    "InterpBench": (6, 4, 31, 79, 1_108),
}
graphs = st.builds(Graph, st.integers(1, 4), st.integers(1, 4), st.booleans())


@pytest.mark.parametrize("model", SIZES)
def test_counts_are_those_of_mibs_models(model: str) -> None:
    layers, heads, sources, destinations, edges = SIZES[model]
    graph = Graph(layers, heads)
    assert (graph.n_sources, graph.n_destinations, graph.n_edges) == (sources, destinations, edges)
    assert int(graph.real_mask.sum()) == edges
    assert graph.shape == graph.real_mask.shape == (sources, destinations)


@pytest.mark.parametrize("name", TINY)
def test_names_and_order_are_the_references(name: str) -> None:
    meta = json.loads((GOLDEN / name / "outputs.json").read_text())["meta"]
    stored = arrays(name)
    graph = Graph(3 if name == "tiny_llama" else 2, 4)
    assert graph.source_names == meta["src_nodes"]
    assert graph.destination_names == meta["dst_nodes"]
    assert (graph.real_mask == stored["real_edge_mask"]).all()
    assert sorted(graph.edge_names()) == sorted(meta["edge_names"])
    assert [graph.edge_index(edge) for edge in meta["edge_names"]] == [
        tuple(row) for row in stored["edge_index"].tolist()
    ]


def test_names_of_a_small_graph_are_as_written_by_hand() -> None:
    graph = Graph(2, 2)
    assert graph.source_names == ["input", "a0.h0", "a0.h1", "m0", "a1.h0", "a1.h1", "m1"]
    assert graph.destination_names[:7] == ["a0.h0<q>", "a0.h1<q>", "a0.h0<k>", "a0.h1<k>", "a0.h0<v>", "a0.h1<v>", "m0"]
    assert graph.destination_names[-2:] == ["m1", "logits"]
    assert graph.edge_names()[0] == "input->a0.h0<q>"


def _reads_by_name(source: str, destination: str, *, parallel: bool) -> bool:
    """The rule in words: input reaches all; a node reaches what comes later in the residual stream."""
    if destination == "logits" or source == "input":
        return True
    source_layer, layer = (int(name.split(".")[0][1:]) for name in (source, destination))
    same_block = source[0] == "a" and destination[0] == "m" and not parallel
    return source_layer < layer or (source_layer == layer and same_block)


@given(graphs)
def test_edges_are_those_of_the_residual_stream(graph: Graph) -> None:
    for row, source in enumerate(graph.source_names):
        for column, destination in enumerate(graph.destination_names):
            expected = _reads_by_name(source, destination, parallel=graph.parallel)
            assert graph.real_mask[row, column] == expected
            assert (row < graph.sources_before[column]) == expected


@given(graphs)
def test_indices_and_names_go_both_ways(graph: Graph) -> None:
    assert [graph.source_index(name) for name in graph.source_names] == list(range(graph.n_sources))
    assert [graph.destination_index(name) for name in graph.destination_names] == list(range(graph.n_destinations))
    assert len(graph.edge_names()) == len(set(graph.edge_names())) == graph.n_edges
    found = [graph.edge_index(name) for name in graph.edge_names()]
    assert found == list(zip(*(part.tolist() for part in np.nonzero(graph.real_mask)), strict=True))
    for layer in range(graph.n_layers):
        assert graph.source_names[graph.head_row(layer, 0)] == f"a{layer}.h0"
        assert (
            graph.source_names[graph.mlp_row(layer)] == graph.destination_names[graph.mlp_column(layer)] == f"m{layer}"
        )
        assert graph.destination_names[graph.layer_column(layer)] == f"a{layer}.h0<q>"


@given(graphs)
def test_a_slot_belongs_to_the_node_in_its_name(graph: Graph) -> None:
    assert graph.destination_node[-1] == -1
    for name, row in zip(graph.destination_names[:-1], graph.destination_node[:-1], strict=True):
        assert graph.source_names[row] == name.split("<")[0]


def test_a_parallel_mlp_does_not_read_its_own_block() -> None:
    assert Graph(3, 2).n_edges - Graph(3, 2, parallel=True).n_edges == 3 * 2


@pytest.mark.parametrize(
    ("edge", "word"),
    [
        ("a0.h0", "not an edge"),
        ("m1->a0.h0<q>", "not an edge"),
        ("a9.h0->logits", "Unknown source"),
        ("input->a0.h0", "Unknown destination"),
        ("logits->m0", "Unknown source"),
    ],
)
def test_a_wrong_edge_name_is_refused(edge: str, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        Graph(2, 2).edge_index(edge)


@pytest.mark.parametrize("size", [(0, 1), (1, 0), (-1, 4), (5000, 1), (1, 5000)])
def test_a_graph_that_cannot_exist_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ArtifactError, match="cannot exist"):
        Graph(*size)


def test_the_mask_of_edges_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Graph(1, 1).real_mask[0, 0] = False
