from __future__ import annotations

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores, shape_of
from mibench.artifacts.truth_scores import flawed, truth_scores
from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.core.specs import Level
from mibench.core.truth import KnownSite, TaskTruth
from mibench.graph.graph import Graph
from mibench.metrics.truth.edge_scores import edge_truth_metrics, no_edge_truth
from mibench.metrics.truth.edge_table import EDGE_TRUTH_COLUMNS
from mibench.tracks.truth import check_truth, edge_truth_table

GRAPH = Graph(3, 2)
TRUTH = TaskTruth(edges=("input->a0.h1<v>", "a0.h1->a1.h0<k>", "input->a1.h0<q>", "input->a1.h0<v>", "a1.h0->logits"))


def noise_scores(graph: Graph, seed: int, level: Level = Level.EDGE) -> CircuitScores:
    shape = shape_of(graph, level, None)
    return CircuitScores(graph, level, np.random.default_rng(seed).normal(size=shape))


def partial_truth(level: Level, kept: float) -> CircuitScores:
    scores = truth_scores(GRAPH, TRUTH, level)
    real = GRAPH.real_mask if level is Level.EDGE else np.ones(scores.shape, dtype=bool)
    return CircuitScores(GRAPH, level, flawed(scores, real, kept, np.random.default_rng(0)))


def test_every_edge_has_a_row_with_its_score():
    scores = np.random.default_rng(0).normal(size=GRAPH.shape)
    table = edge_truth_table(GRAPH, CircuitScores(GRAPH, Level.EDGE, scores), TRUTH)
    assert set(table.columns) == set(EDGE_TRUTH_COLUMNS)
    assert table["edge"].tolist() == GRAPH.edge_names()
    assert set(table.loc[table["true"], "edge"]) == set(TRUTH.edges) == set(table.loc[table["named"], "edge"])
    for row in table.iloc[::7].itertuples():
        assert row.score == scores[GRAPH.edge_index(f"{row.source}->{row.destination}")]


def test_at_resolution_head_all_slots_are_true_and_the_named_ones_are_named():
    head = TRUTH.model_copy(update={"resolution": "head"})
    table = edge_truth_table(GRAPH, noise_scores(GRAPH, 0), head).set_index("edge")
    assert table["resolution"].unique().tolist() == ["head"]
    for slot in "qkv":
        assert table.loc[f"a0.h1->a1.h0<{slot}>", "true"]
        assert table.loc[f"a0.h1->a1.h0<{slot}>", "named"] == (slot == "k")


def test_a_binary_artifact_scores_its_members():
    members = np.zeros(GRAPH.shape, dtype=bool)
    for edge in TRUTH.edges:
        members[GRAPH.edge_index(edge)] = True
    scores = CircuitScores(GRAPH, Level.EDGE, np.zeros(GRAPH.shape), in_graph=members, binary=True)
    assert edge_truth_metrics(edge_truth_table(GRAPH, scores, TRUTH))["auroc"].value == 1.0


def test_scores_and_truths_of_other_models_are_refused():
    with pytest.raises(ArtifactError):
        edge_truth_table(Graph(3, 4), noise_scores(GRAPH, 0), TRUTH)
    with pytest.raises(UsageError):
        edge_truth_table(GRAPH, noise_scores(GRAPH, 0), TaskTruth(edges=("a7.h0->logits",)))


@pytest.mark.parametrize("level", [Level.EDGE, Level.NODE])
def test_controls_fall_from_truth_to_noise(level):
    def area(scores):
        return edge_truth_metrics(edge_truth_table(GRAPH, scores, TRUTH))["auroc"].value

    assert area(partial_truth(level, 1.0)) == 1.0
    partial = [area(partial_truth(level, kept)) for kept in (0.6, 0.0)]
    assert 1.0 > partial[0] > partial[1] < 0.5
    noise = [area(noise_scores(GRAPH, seed, level)) for seed in range(300)]
    assert np.mean(noise) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"edges": ("a7.h0->logits",)}, "Unknown source node"),
        ({"sites": (KnownSite(variable="v", layer=3, position="last"),)}, "layer 3"),
        ({"sites": (KnownSite(variable="v", layer=0, head=2, position="last"),)}, "head 2"),
        ({"sites": (KnownSite(variable="v", layer=0, position="last", subspace="w"),)}, "in w"),
    ],
)
def test_a_truth_of_another_model_is_told_with_its_file(changed, why, tmp_path):
    with pytest.raises(DataError, match=r"truth\.json") as caught:
        check_truth(TRUTH.model_copy(update=changed), GRAPH, {"v"}, tmp_path / "truth.json")
    assert why in caught.value.why


def test_where_the_truth_does_not_hold_every_metric_says_why():
    found = no_edge_truth("another ablation")
    known = edge_truth_metrics(edge_truth_table(GRAPH, noise_scores(GRAPH, 0), TRUTH))
    assert found.keys() == known.keys()
    assert all((one.value, one.reason) == (None, "another ablation") for one in found.values())
