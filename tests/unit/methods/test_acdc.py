"""ACDC on graphs whose damage is known, and on a tiny model against a plain rewrite."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import golden_model, golden_pairs
from tiny_models import tiny_model

from mibench.core.specs import Ablation
from mibench.engine.base import constants_for
from mibench.engine.circuits.acdc import Damage, Search, drop_edges, ranked
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit, prune
from mibench.graph.graph import Graph
from mibench.methods.circuit.acdc import acdc
from mibench.methods.view import CircuitView
from mibench.runner.cells.meter import Meter
from mibench.tasks.encode import EncodedPair

GRAPH = Graph(2, 1)


def nothing(edges: int) -> None:
    """Hear of visited edges."""


def additive(weights: np.ndarray):
    """Damage that is the sum of the weights of the missing edges."""
    return lambda circuit: float((weights * ~circuit.real_edges * GRAPH.real_mask).sum())


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel(tiny_model("gpt2", num_hidden_layers=2, n_layer=2, n_head=2))


@pytest.fixture(scope="module")
def pairs() -> list[EncodedPair]:
    rng = np.random.default_rng(0)
    found = []
    for row, length in enumerate((5, 7)):
        clean, other = rng.integers(0, 41, (2, length)).tolist()
        found.append(EncodedPair(str(row), tuple(clean), tuple(other), (1,), (2,)))
    return found


def test_only_edges_that_are_missed_stay():
    wanted = [GRAPH.edge_index(name) for name in ("input->a1.h0<v>", "a1.h0->m1", "m1->logits")]
    weights = np.zeros(GRAPH.shape)
    weights[tuple(np.transpose(wanted))] = 1.0
    kept, _ = drop_edges(GRAPH, additive(weights), 0.5, nothing)
    assert sorted(map(tuple, np.argwhere(kept).tolist())) == sorted(wanted)


def test_a_low_threshold_keeps_all_that_matters_and_a_high_one_nothing():
    weights = np.random.default_rng(0).random(GRAPH.shape) + 0.01
    low, _ = drop_edges(GRAPH, additive(weights), 1e-9, nothing)
    high, _ = drop_edges(GRAPH, additive(weights), 1e9, nothing)
    assert np.array_equal(low, GRAPH.real_mask)
    assert not high.any()


def test_edges_that_nothing_reads_any_more_take_no_pass():
    seen: list[int] = []

    def damage(circuit: Circuit) -> float:
        seen.append(circuit.n_edges)
        return 0.0

    drop_edges(GRAPH, damage, 1.0, nothing)
    # The full model, then the edges into the logits; without them nothing is left.
    assert len(seen) == 1 + GRAPH.n_sources


def test_destinations_are_visited_from_the_logits_back_and_later_sources_first():
    tried: list[tuple[int, int]] = []
    before = GRAPH.real_mask

    def damage(circuit: Circuit) -> float:
        gone = [(column, row) for row, column in np.argwhere(before & ~circuit.edges).tolist()]
        tried.extend([max(gone)] if gone else [])  # what pruning takes along lies earlier
        return float(len(gone))

    drop_edges(GRAPH, damage, 1.0, nothing)
    assert tried == sorted(tried, reverse=True)
    assert len(tried) == GRAPH.n_edges


def test_scores_lie_between_the_thresholds_that_keep_and_drop():
    kept = [np.array([True, True, True, False, False]), np.array([True, False, False, False, False])]
    rises = [np.array([0.5, 0.2, 0.1, 0.05, -1.0]), np.array([3.0, 0.4, 0.0, 0.0, 0.0])]
    found = ranked([0.1, 1.0], list(zip(kept, rises, strict=True)))
    assert found == pytest.approx([3.0, 0.1 + 0.9 / 2, 0.1, 0.05, 0.0])


@pytest.mark.parametrize("ablation", [Ablation.COUNTERFACTUAL, Ablation.ZERO])
@pytest.mark.parametrize("measure", ["kl", "metric"])
def test_damage_is_what_the_evaluator_says(model, pairs, measure, ablation):
    constants = constants_for(model, ablation, pairs, 2)
    edges = np.random.default_rng(1).random(model.graph.shape) < 0.6
    circuit = prune(model.graph, edges & model.graph.real_mask)
    damage = Damage(model, pairs, Search(constants=constants, measure=measure, padded=True))
    outcome = evaluate(model, pairs, [circuit], Evaluation(constants=constants))
    expected = outcome.kl.mean() if measure == "kl" else -outcome.circuits.mean()
    assert abs(damage(circuit) - expected) < 1e-12


def test_a_search_on_a_model_is_a_plain_loop_over_the_evaluator(model, pairs):
    graph, tau = model.graph, 0.02

    def kl(edges: np.ndarray) -> float:
        return float(evaluate(model, pairs, [prune(graph, edges)], Evaluation()).kl.mean())

    edges, now = graph.real_mask.copy(), 0.0
    order = [(row, column) for row, column in np.argwhere(graph.real_mask).tolist()]
    for row, column in sorted(order, key=lambda edge: (-edge[1], -edge[0])):
        fewer = edges.copy()
        fewer[row, column] = False
        then = kl(fewer)
        if then - now < tau:
            edges, now = fewer, then
    kept, _ = drop_edges(graph, Damage(model, pairs, Search()), tau, nothing)
    assert np.array_equal(kept, prune(graph, edges).real_edges)
    assert 0 < kept.sum() < graph.n_edges


def test_scores_are_bands_of_the_thresholds(model, pairs):
    view = CircuitView(model, pairs, ())
    found = acdc.function(view, lowest=0.01, highest=0.1, thresholds=2).scores
    damage = Damage(model, pairs, Search(padded=True))
    low, high = (drop_edges(model.graph, damage, tau, nothing)[0] for tau in (0.01, 0.1))
    assert (found >= 0).all()
    assert np.array_equal(found >= 0.1, high)
    assert np.array_equal((found >= 0.01) & ~high, low & ~high)


def test_passes_are_at_most_those_that_the_docstring_claims():
    model, pairs = LanguageModel(golden_model("tiny_gpt2")), golden_pairs("tiny_gpt2", "A")[:2]
    with Meter() as meter:
        acdc.function(CircuitView(model, pairs, (), counter=meter), lowest=1e-6, thresholds=1)
    cost = meter.cost()
    assert cost.forward_passes / 2 == pytest.approx(2 + model.graph.n_edges, rel=0.2)
    assert cost.backward_passes == 0
