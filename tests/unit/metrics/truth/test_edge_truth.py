from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import DataError
from mibench.core.specs import Level
from mibench.core.truth import TaskTruth
from mibench.graph.graph import Graph
from mibench.metrics.truth.edge_scores import EDGE_TRUTH, edge_truth_metrics
from mibench.tracks.truth import edge_truth_table

GRAPH = Graph(2, 2)
EDGES = ("input->a0.h1<v>", "a0.h1->a1.h0<k>", "a1.h0->logits")
TRUTH = TaskTruth(edges=EDGES)
OF_EDGES = [declared.name for declared in EDGE_TRUTH]
seeds = st.integers(0, 2**32 - 1)


def drawn(seed, graph=GRAPH):
    return np.random.default_rng(seed).normal(size=graph.shape)


def metrics_of(scores, truth=TRUTH, level=Level.EDGE, graph=GRAPH):
    return edge_truth_metrics(edge_truth_table(graph, CircuitScores(graph, level, scores), truth))


def value_of(name, *args, **kwargs):
    return metrics_of(*args, **kwargs)[name].value


def naive_area(scores, true):
    """Over dicts of scores by name: the share of pairs that are in order."""
    wins = [(scores[t] > scores[f]) + (scores[t] == scores[f]) / 2 for t in true for f in scores if f not in true]
    return sum(wins) / len(wins)


def by_edge(scores):
    named = {}
    for edge in GRAPH.edge_names():
        named[edge] = abs(float(scores[GRAPH.edge_index(edge)]))
    return named


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_edges_heads_and_nodes_agree_with_counting_pairs_by_name(seed):
    scores = drawn(seed).round(1)
    edges = by_edge(scores)
    found = metrics_of(scores)
    assert found["auroc"].value == pytest.approx(naive_area(edges, EDGES), abs=1e-12)
    heads, nodes = {}, {}
    for edge, score in edges.items():
        whole = edge.partition("<")[0]
        heads[whole] = max(heads.get(whole, 0), score)
        for node in whole.split("->"):
            if node != "logits":
                nodes[node] = max(nodes.get(node, 0), score)
    true_heads = {edge.partition("<")[0] for edge in EDGES}
    assert found["auroc_heads"].value == pytest.approx(naive_area(heads, true_heads), abs=1e-12)
    assert found["auroc_nodes"].value == pytest.approx(naive_area(nodes, {"input", "a0.h1", "a1.h0"}), abs=1e-12)


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_signs_matter_to_the_signed_area_alone(seed):
    scores = drawn(seed)
    found, negated = metrics_of(scores), metrics_of(-scores)
    assert negated["auroc_signed"].value == pytest.approx(1 - found["auroc_signed"].value, abs=1e-12)
    for name in set(OF_EDGES) - {"auroc_signed"}:
        assert negated[name].value == found[name].value


@given(seed=seeds)
@settings(max_examples=25, deadline=None)
def test_only_the_order_of_magnitudes_matters(seed):
    scores = drawn(seed)
    found, stretched = metrics_of(scores), metrics_of(np.sign(scores) * np.exp(np.abs(scores)))
    assert {name: stretched[name].value for name in OF_EDGES} == pytest.approx(
        {name: found[name].value for name in OF_EDGES}, abs=1e-12
    )


def test_the_true_scores_are_perfect_and_noise_is_chance():
    truth = np.zeros(GRAPH.shape)
    for edge in EDGES:
        truth[GRAPH.edge_index(edge)] = 1
    found = metrics_of(truth)
    assert [found[name].value for name in OF_EDGES if name != "auroc_mib"] == [1.0] * 6
    draws = [metrics_of(np.abs(drawn(seed))) for seed in range(150)]
    for name in OF_EDGES:
        values = np.array([one[name].value for one in draws])
        if name == "auroc_mib":
            assert draws[0][name].floor is None
            assert values.mean() == pytest.approx(0.57, abs=0.03)
        else:
            assert abs(values.mean() - draws[0][name].floor) < 3 * values.std() / np.sqrt(150), name


def test_a_true_edge_of_negative_score_counts_by_magnitude():
    scores = np.zeros(GRAPH.shape)
    for edge in EDGES:
        scores[GRAPH.edge_index(edge)] = -1
    found = metrics_of(scores)
    assert (found["auroc"].value, found["auroc_signed"].value) == (1.0, 0.0)


def test_a_truth_of_whole_heads_gives_numbers_of_heads_and_nodes_only():
    head = TaskTruth(edges=EDGES, resolution="head")
    scores = drawn(0)
    scores[GRAPH.edge_index("input->a0.h1<q>")] = 9
    found = metrics_of(scores, head)
    for name in ("auroc", "auroc_signed", "average_precision", "precision_at_truth"):
        assert found[name].value is None
        assert "auroc_heads" in found[name].reason
    slots = metrics_of(scores)
    for name in ("auroc_heads", "auroc_nodes", "auroc_mib"):
        assert found[name].value == slots[name].value


@pytest.mark.parametrize("level", [Level.NODE, Level.NEURON])
def test_nodes_and_neurons_are_ranked_by_themselves(level):
    nodes = np.array([3.0, 0.1, -2.0, 0.2, 1.0, 0.0, 0.3])
    scores = nodes if level is Level.NODE else np.stack([nodes, nodes / 2, nodes * 0], axis=1)
    artifact = CircuitScores(GRAPH, level, scores, d_model=3)
    table = edge_truth_table(GRAPH, artifact, TRUTH)
    assert table["edge"].tolist() == GRAPH.source_names
    assert table["score"].tolist() == nodes.tolist()
    found = edge_truth_metrics(table)
    assert found["auroc"].value == found["auroc_nodes"].value == found["precision_at_truth"].value == 1.0
    assert found["auroc_signed"].value == pytest.approx(8 / 12)
    assert found["auroc_heads"].value is None
    assert "edges only" in found["auroc_mib"].reason


def test_a_node_without_a_score_is_in_every_circuit_so_it_ranks_first():
    scores = np.array([np.nan, 0.1, 2.0, np.nan, 1.0, 0.0, 0.3])
    found = metrics_of(scores, level=Level.NODE)
    # m0 (false) is tied with input (true) and beats the other two.
    assert found["auroc"].value == found["auroc_signed"].value == pytest.approx((3.5 + 3 + 3) / 12)


def test_a_neuron_without_a_score_keeps_its_node():
    scores = np.ones((GRAPH.n_sources, 3))
    scores[2, 1] = np.nan
    table = edge_truth_table(GRAPH, CircuitScores(GRAPH, Level.NEURON, scores, d_model=3), TRUTH)
    assert np.flatnonzero(table["score"].isna()).tolist() == [2]


def test_numbers_have_a_floor_and_say_why_they_have_no_interval():
    found = metrics_of(drawn(1))
    assert found["precision_at_truth"].floor == pytest.approx(3 / GRAPH.n_edges)
    assert 3 / GRAPH.n_edges < found["average_precision"].floor < 0.2
    for one in found.values():
        assert one.ci_low is None
        assert "no sample" in one.ci_reason
        assert one.n


@pytest.mark.parametrize("edges", [(), tuple(GRAPH.edge_names())])
def test_one_class_gives_reasons(edges):
    found = metrics_of(drawn(2), TaskTruth(edges=edges))
    for one in found.values():
        assert one.value is None
        assert "every" in one.reason


@pytest.mark.parametrize(
    "spoil",
    [
        lambda table: table.drop(columns="named"),
        lambda table: table.iloc[:0],
        lambda table: table.iloc[[0, 0, 1]],
        lambda table: table.iloc[5:],
        lambda table: table.assign(score="high"),
        lambda table: table.assign(score=np.inf),
        lambda table: table.assign(true=3),
        lambda table: table.assign(level="layer"),
        lambda table: table.assign(source="m0"),
        lambda table: table.assign(edge=table["edge"] + "x", destination=table["destination"] + "x"),
    ],
)
def test_a_spoilt_table_is_refused(spoil):
    table = edge_truth_table(GRAPH, CircuitScores(GRAPH, Level.EDGE, drawn(0)), TRUTH)
    edge_truth_metrics(table)
    with pytest.raises(DataError):
        edge_truth_metrics(spoil(table))
