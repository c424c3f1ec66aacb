"""Circuit scores: shapes, what is refused, and what the digest means."""

from __future__ import annotations

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores, checked_graph
from mibench.core.errors import ArtifactError
from mibench.core.specs import Level
from mibench.graph.graph import Graph

GRAPH = Graph(2, 3)
RNG = np.random.default_rng(0)


def edge_scores(**extra) -> CircuitScores:
    return CircuitScores(GRAPH, Level.EDGE, np.random.default_rng(1).normal(size=GRAPH.shape), 8, **extra)


def test_edges_are_scored_exactly_where_the_graph_has_them_and_zero_elsewhere():
    scores = edge_scores()
    scores.validate()
    assert np.array_equal(scores.scored, GRAPH.real_mask)
    assert (scores.scores[~GRAPH.real_mask] == 0).all()
    assert scores.n_scored == GRAPH.n_edges


def test_nan_marks_a_node_that_is_not_scored():
    values = np.arange(GRAPH.n_sources, dtype=float)
    values[2] = np.nan
    scores = CircuitScores(GRAPH, Level.NODE, values)
    scores.validate()
    assert scores.n_scored == GRAPH.n_sources - 1
    assert not scores.scored[2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_real_edge_must_have_a_finite_score_and_the_error_names_it(bad):
    values = RNG.normal(size=GRAPH.shape)
    values[1, GRAPH.mlp_column(0)] = bad
    with pytest.raises(ArtifactError) as caught:
        CircuitScores(GRAPH, Level.EDGE, values).validate()
    assert "a0.h0->m0" in caught.value.why


def test_an_infinite_neuron_is_named():
    values = RNG.normal(size=(GRAPH.n_sources, 5))
    values[4, 3] = np.inf
    with pytest.raises(ArtifactError) as caught:
        CircuitScores(GRAPH, Level.NEURON, values, 5).validate()
    assert "m0[3]" in caught.value.why


def test_equal_scores_rank_nothing():
    with pytest.raises(ArtifactError, match="cannot be used") as caught:
        CircuitScores(GRAPH, Level.NODE, np.ones(GRAPH.n_sources)).validate()
    assert "equal" in caught.value.why
    assert "binary" in caught.value.do


def test_nothing_scored_is_refused():
    with pytest.raises(ArtifactError):
        CircuitScores(GRAPH, Level.NODE, np.full(GRAPH.n_sources, np.nan)).validate()


def test_equal_scores_are_fine_for_one_circuit():
    members = GRAPH.real_mask.copy()
    binary = CircuitScores(GRAPH, Level.EDGE, members.astype(float), in_graph=members, binary=True)
    binary.validate()
    assert binary.circuit().is_full


def test_one_circuit_needs_members():
    with pytest.raises(ArtifactError):
        edge_scores(binary=True).validate()


def test_a_ranking_is_not_one_circuit():
    with pytest.raises(ArtifactError):
        edge_scores().circuit()


@pytest.mark.parametrize(
    ("level", "shape"),
    [(Level.EDGE, (3, 3)), (Level.NODE, (4,)), (Level.NEURON, (9, 7)), (Level.NODE, (9, 1))],
)
def test_a_wrong_shape_is_refused_with_both_shapes(level, shape):
    with pytest.raises(ArtifactError) as caught:
        CircuitScores(GRAPH, level, np.zeros(shape), 8)
    assert str(list(shape)) in caught.value.why


def test_neuron_scores_need_d_model():
    with pytest.raises(ArtifactError):
        CircuitScores(GRAPH, Level.NEURON, np.zeros((9, 8)))


@pytest.mark.parametrize("values", [np.zeros(9, dtype=bool), np.array(["a"] * 9), np.zeros(9, dtype=complex)])
def test_scores_must_be_numbers(values):
    with pytest.raises(ArtifactError):
        CircuitScores(GRAPH, Level.NODE, values)


def test_scores_of_another_model_are_refused_naming_both():
    with pytest.raises(ArtifactError) as caught:
        edge_scores().check_model(Graph(12, 12), 768)
    assert "2 layers of 3 heads, d_model 8" in caught.value.why
    assert "12 layers of 12 heads, d_model 768" in caught.value.why
    with pytest.raises(ArtifactError):
        edge_scores().check_model(GRAPH, 16)
    with pytest.raises(ArtifactError):
        edge_scores().check_model(Graph(2, 3, parallel=True), 8)
    edge_scores().check_model(GRAPH, 8)
    edge_scores().check_model(GRAPH)


def test_the_digest_ignores_storage_type_negative_zero_and_origin_but_not_values():
    values = np.random.default_rng(2).normal(size=GRAPH.n_sources).astype(np.float32)
    values[0] = 0.0
    first = CircuitScores(GRAPH, Level.NODE, values)
    negative = values.astype(np.float64)
    negative[0] = -0.0
    assert CircuitScores(GRAPH, Level.NODE, negative, method="x", notes=("y",)).digest == first.digest
    changed = values.copy()
    changed[1] += 1
    unscored = values.astype(float)
    unscored[0] = np.nan
    others = [
        CircuitScores(GRAPH, Level.NODE, changed),
        CircuitScores(GRAPH, Level.NODE, unscored),
        CircuitScores(GRAPH, Level.NODE, values, selection="greedy"),
        CircuitScores(Graph(2, 3, parallel=True), Level.NODE, values),
    ]
    assert len({first.digest, *(other.digest for other in others)}) == 5


def test_scores_cannot_be_changed_in_place():
    with pytest.raises(ValueError):
        edge_scores().scores[0, 0] = 1


@pytest.mark.parametrize(
    "sizes",
    [
        (10**30, 2, False, 8),
        (4096, 4096, False, 8),
        (2, 2, False, 2**27),
        (True, 2, False, 8),
        (2, "2", False, 8),
        (2, 2, 0, 8),
        (2, 2, False, -1),
        (0, 2, False, 8),
        (2.0, 2, False, 8),
        ([[]], 2, False, 8),
    ],
)
def test_declared_sizes_are_checked_before_use(sizes):
    with pytest.raises(ArtifactError):
        checked_graph(*sizes)
