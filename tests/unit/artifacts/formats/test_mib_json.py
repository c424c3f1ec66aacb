"""MIB JSON: documented variants are read, everything else is refused with a reason."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import load_scores, save_scores
from mibench.core.errors import ArtifactError
from mibench.core.specs import Level
from mibench.graph.graph import Graph

GRAPH = Graph(1, 2)
CFG = {"n_layers": 1, "n_heads": 2, "parallel_attn_mlp": False, "d_model": 3}
NODES = {name: {"in_graph": True} for name in ["input", "a0.h0", "a0.h1", "m0", "logits"]}
EDGES = {name: {"score": float(i), "in_graph": True} for i, name in enumerate(GRAPH.edge_names())}


@pytest.fixture
def read(tmp_path):
    def load(text=None, /, cfg=CFG, nodes=NODES, edges=EDGES, more=None, **how) -> CircuitScores:
        path = tmp_path / "scores.json"
        document = {"cfg": cfg, "nodes": nodes, "edges": edges} | (more or {})
        path.write_text(json.dumps(document) if text is None else text)
        return load_scores(path, **how)

    return load


def test_a_whole_edge_file(read):
    scores = read()
    assert (scores.level, scores.d_model, scores.graph) == (Level.EDGE, 3, GRAPH)
    assert [scores.scores[GRAPH.edge_index(name)] for name in EDGES] == [float(i) for i in range(len(EDGES))]
    assert (scores.notes, dict(scores.counters)) == ((), {})


def test_edges_without_score_and_missing_edges_get_zero_and_are_counted(read):
    edges = dict(EDGES)
    edges["input->m0"] = {"in_graph": True}
    del edges["m0->logits"]
    scores = read(edges=edges)
    assert scores.scores[GRAPH.edge_index("input->m0")] == 0
    assert scores.counters["edges_defaulted"] == 2
    assert "2 edges" in scores.notes[0]


def test_a_node_file_has_empty_edges_and_unscored_nodes(read):
    nodes = NODES | {"a0.h0": {"in_graph": False, "score": 2}, "a0.h1": {"in_graph": False, "score": -1.5}}
    nodes["m0"] = {"in_graph": True, "score": float("nan")}
    scores = read(nodes=nodes, edges={})
    assert scores.level is Level.NODE
    assert scores.scored.tolist() == [False, True, True, False]
    assert scores.scores.tolist() == [0, 2, -1.5, 0]
    assert scores.counters == {"nan_unscored": 2}


def test_node_scores_beside_all_zero_edges_are_a_node_file(read):
    nodes = NODES | {"a0.h0": {"in_graph": True, "score": 2}, "m0": {"in_graph": True, "score": 1}}
    edges = {name: {"score": 0.0, "in_graph": True} for name in EDGES}
    assert read(nodes=nodes, edges=edges).level is Level.NODE


def test_a_file_with_scores_of_nodes_and_edges_is_read_by_edges_and_says_so(read):
    nodes = NODES | {"a0.h0": {"in_graph": True, "score": 2}, "m0": {"in_graph": True, "score": 1}}
    scores = read(nodes=nodes)
    assert scores.level is Level.EDGE
    assert "nodes and edges" in scores.notes[0]
    assert read(nodes=nodes, level=Level.NODE).level is Level.NODE
    with pytest.raises(ArtifactError):
        read(nodes=nodes, level=Level.NEURON)


def test_neurons_are_read_one_list_a_node(read):
    lists = {"input": [1, 2, 3], "a0.h0": [4.5, 5, 6], "a0.h1": [7, 8, 9], "m0": [float("nan"), 1, 2]}
    nodes = {name: {"in_graph": True, "neurons_scores": values} for name, values in lists.items()}
    scores = read(nodes=nodes, edges={})
    assert scores.level is Level.NEURON
    assert scores.scores.tolist() == [[1, 2, 3], [4.5, 5, 6], [7, 8, 9], [0, 1, 2]]
    assert not scores.scored[3, 0]


def test_neurons_of_a_head_may_be_the_block_of_its_layer(read):
    block = [[4, 5, 6], [7, 8, 9]]
    nodes = {name: {"in_graph": True, "neurons_scores": block} for name in ("a0.h0", "a0.h1")}
    scores = read(nodes=nodes | {"logits": {"in_graph": True}}, edges={})
    assert scores.scores[1:3].tolist() == block
    assert not scores.scored[0].any()


def test_a_loader_that_copies_a_heads_list_to_its_whole_layer_reads_what_was_meant(tmp_path):
    graph, d_model = Graph(2, 3), 4
    values = np.random.default_rng(0).normal(size=(graph.n_sources, d_model))
    save_scores(CircuitScores(graph, Level.NEURON, values, d_model), tmp_path / "s.json")
    nodes = json.loads((tmp_path / "s.json").read_text())["nodes"]
    table = np.full((graph.n_sources, d_model), np.nan)
    for name, entry in nodes.items():
        if name == "logits":
            continue
        row = graph.source_index(name)
        layer = int(name[1]) if name.startswith("a") else 0
        rows = slice(graph.head_row(layer, 0), graph.mlp_row(layer)) if name.startswith("a") else row
        table[rows] = np.array(entry["neurons_scores"])
        assert len(np.array(entry["neurons"]).shape) == len(np.array(entry["neurons_scores"]).shape)
    assert np.array_equal(table, values)


def test_every_edge_and_node_is_written_with_what_mib_asks_for(tmp_path, make_scores):
    scores = make_scores()
    save_scores(scores, tmp_path / "s.json")
    document = json.loads((tmp_path / "s.json").read_text())
    assert document["cfg"] == {"n_layers": 2, "n_heads": 3, "parallel_attn_mlp": False, "d_model": 4}
    assert list(document["edges"]) == scores.graph.edge_names()
    assert all(set(entry) == {"score", "in_graph"} for entry in document["edges"].values())
    assert set(document["nodes"]) == {*scores.graph.source_names, "logits"}
    assert all(type(entry["in_graph"]) is bool for entry in document["nodes"].values())


def test_one_circuit_is_read_from_in_graph(read):
    edges = {name: {"score": 0.0, "in_graph": name in ("input->m0", "m0->logits")} for name in EDGES}
    scores = read(edges=edges, binary=True)
    assert scores.circuit().n_edges == 2
    assert scores.level is Level.EDGE


def test_an_empty_circuit_says_so(read):
    edges = {name: {"score": 0.0, "in_graph": False} for name in EDGES}
    nodes = {name: {"in_graph": False} for name in NODES}
    scores = read(nodes=nodes, edges=edges, binary=True)
    assert scores.circuit().is_empty
    assert "empty" in scores.notes[0]


def test_a_circuit_of_edges_and_neurons_at_once_is_refused(read):
    nodes = {name: {"in_graph": True, "neurons": [True, False, True]} for name in NODES if name != "logits"}
    edges = {name: {"score": 0.0, "in_graph": name == "input->m0"} for name in EDGES}
    with pytest.raises(ArtifactError) as caught:
        read(nodes=nodes, edges=edges, binary=True)
    assert "neurons" in caught.value.why


def test_unknown_keys_are_named_in_a_note(read):
    assert read(more={"neurons": {}}).notes == ("Not read: 'neurons'.",)


def changed(table, **entries):
    return table | {name.replace("__", "->"): value for name, value in entries.items()}


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"cfg": CFG | {"n_layers": 2, "n_heads": 1}}, "2 layers of 1 heads"),
        ({"cfg": CFG | {"n_layers": "1"}}, "n_layers is '1'"),
        ({"cfg": CFG | {"n_heads": 10**6}}, "1000000 heads"),
        ({"cfg": CFG | {"n_heads": 10**4000}}, "n_heads is a int"),
        ({"cfg": CFG | {"parallel_attn_mlp": None}}, "parallel_attn_mlp"),
        ({"cfg": {"n_layers": 1, "n_heads": 2}}, "parallel_attn_mlp"),
        ({"cfg": []}, "cfg"),
        ({"nodes": []}, "nodes"),
        ({"edges": None}, "edges"),
        ({"nodes": NODES | {"a5.h0": {"in_graph": True}}}, "'a5.h0'"),
        ({"nodes": NODES | {"m0": True}}, "'m0' is not an object"),
        ({"nodes": NODES | {"m0": {"in_graph": "yes"}}}, "'yes'"),
        ({"nodes": NODES | {"m0": {"score": "1.0"}}}, "'1.0'"),
        ({"nodes": NODES | {"m0": {"score": [1]}}}, "a list"),
        ({"nodes": NODES | {"m0": {"score": 10**400}}}, "a int"),
        ({"nodes": NODES | {"m0": {"neurons_scores": [1, 2]}}}, "2 neurons"),
        ({"nodes": NODES | {"m0": {"neurons_scores": [[1, 2, 3], [4, 5, 6]]}}}, "2 neurons"),
        ({"nodes": NODES | {"a0.h0": {"neurons_scores": [[1, 2, 3]]}}}, "1 heads"),
        ({"nodes": NODES | {"m0": {"neurons_scores": ["1", 2, 3]}}}, "'1'"),
        ({"nodes": NODES | {"m0": {"neurons": [0.5, 1, 0]}}}, "neither true nor false"),
        ({"edges": changed(EDGES, m0__a0={"score": 1})}, "'m0->a0'"),
        ({"edges": changed(EDGES, logits__m0={"score": 1})}, "'logits->m0'"),
        ({"edges": EDGES | {"m0->a0.h0<q>": {"score": 1}}}, "'m0->a0.h0<q>'"),
        ({"edges": EDGES | {"input->a0.h0<z>": {"score": 1}}}, "'input->a0.h0<z>'"),
        ({"edges": EDGES | {"": {"score": 1}}}, "''"),
        ({"edges": EDGES | {"input->m0": 3}}, "'input->m0' is not an object"),
        ({"edges": EDGES | {"input->m0": {"score": True}}}, "True"),
        ({"edges": EDGES | {"input->m0": {"score": None}}}, "None"),
        ({"edges": EDGES | {"input->m0": {"score": float("nan")}}}, "NaN or infinite: input->m0"),
        ({"edges": EDGES | {"input->m0": {"score": float("-inf")}}}, "NaN or infinite: input->m0"),
        ({"edges": EDGES | {"input->m0": {"score": 1, "in_graph": 1}}}, "in_graph"),
        ({"edges": {name: {"score": 0.5} for name in EDGES}}, "equal"),
        ({"edges": {}}, "no scores"),
    ],
)
def test_wrong_content_is_refused_and_named(read, parts, said):
    with pytest.raises(ArtifactError) as caught:
        read(**parts)
    assert said in caught.value.why


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"cfg": {}}',
        "[" * 100_000 + "]" * 100_000,
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        '{"cfg": {"n_layers": ' + "9" * 10_000 + "}}",
        json.dumps({"cfg": CFG, "nodes": NODES, "edges": EDGES})[:-1] + ', "edges": {}}',
        json.dumps({"cfg": CFG, "nodes": NODES, "edges": EDGES}).replace('"input->m0"', '"m0->logits"'),
        json.dumps({"cfg": CFG, "nodes": NODES, "edges": EDGES}) + "x",
    ],
)
def test_what_is_not_one_clean_object_is_refused(read, text):
    with pytest.raises(ArtifactError):
        read(text)


def test_bytes_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "s.json").write_bytes(b"\xff\xfe\xfa{}")
    with pytest.raises(ArtifactError):
        load_scores(tmp_path / "s.json")


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "seconds"), [(".safetensors", 2), (".pt", 2), (".json", 15)])
def test_the_scores_of_an_8b_model_are_read_and_written_in_time(tmp_path, suffix, seconds):
    import torch  # noqa: F401 - its import is not part of the measurement

    graph = Graph(32, 32)
    values = np.random.default_rng(0).normal(size=graph.shape).astype(np.float32)
    scores = CircuitScores(graph, Level.EDGE, values, 4096)
    for action in (lambda p: save_scores(scores, p), load_scores):
        start = time.perf_counter()
        action(tmp_path / f"s{suffix}")
        assert time.perf_counter() - start < seconds
    assert load_scores(tmp_path / f"s{suffix}").digest == scores.digest
