"""The circuit track: scores and a split give a per-example table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import ArtifactError
from mibench.core.specs import Convention, Level, Ranking
from mibench.engine.evaluate import Evaluation, Outcome, evaluate
from mibench.engine.meter import PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit
from mibench.graph.select import (
    FRACTIONS,
    circuit_of_edges,
    circuit_of_neurons,
    circuit_of_nodes,
    requested,
    top_n_items,
)
from mibench.metrics.per_example import CircuitTables
from mibench.tasks.encode import EncodedPair


@dataclass(frozen=True)
class SizedCircuit:
    """A circuit, and what was asked for.

    Attributes:
        ranking: How the scores were ordered.
        fraction: Requested share of the scored items.
        n_requested: Requested number of items.
        circuit: What is left after pruning.
    """

    ranking: Ranking
    fraction: float
    n_requested: int
    circuit: Circuit


def circuits_of(scores: CircuitScores, convention: Convention = Convention.MIBENCH) -> list[SizedCircuit]:
    """The circuits that an artifact is scored by: ten sizes under both rankings, or the one that it names.

    Args:
        scores: A ranking, or a binary artifact.
        convention: ``mib`` counts pairs that are not edges at node and neuron level, as MIB does.

    Raises:
        ArtifactError: The artifact asks for a selection rule that is not known.
    """
    if scores.binary:
        circuit = scores.circuit()
        share = circuit.weighted_real_edges / scores.graph.n_edges
        return [SizedCircuit(ranking, share, circuit.n_edges, circuit) for ranking in Ranking]
    if scores.selection != "top-n":
        raise ArtifactError(
            f"The selection rule '{scores.selection}' is not known here.",
            why="Circuits are chosen by 'top-n'.",
            do="Save the artifact with selection 'top-n'.",
        )
    return [
        SizedCircuit(ranking, fraction, n, select(scores, n, ranking, convention))
        for ranking in Ranking
        for fraction in FRACTIONS
        for n in [requested(fraction, scores.n_scored)]
    ]


def select(scores: CircuitScores, n: int, ranking: Ranking, convention: Convention = Convention.MIBENCH) -> Circuit:
    """The pruned circuit of the ``n`` best edges, nodes or neurons."""
    if scores.level is Level.EDGE:
        return circuit_of_edges(scores.graph, scores.scores, n, ranking)
    kept = top_n_items(scores.scores, scores.scored, n, ranking)
    phantom = convention is Convention.MIB
    if scores.level is Level.NODE:
        return circuit_of_nodes(scores.graph, kept, phantom=phantom)
    return circuit_of_neurons(scores.graph, kept, phantom=phantom)


def score_circuit(
    model: LanguageModel,
    circuits: Sequence[SizedCircuit],
    pairs: Sequence[EncodedPair],
    options: Evaluation,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
) -> CircuitTables:
    """Evaluate circuits on a split.

    Args:
        model: The model.
        circuits: From ``circuits_of``.
        pairs: The split.
        options: Ablation and batches.
        counter: Told of every pass.
        progress: Told of every batch.

    Returns:
        The per-example tables, from which every metric is computed.
    """
    outcome = evaluate(model, pairs, [one.circuit for one in circuits], options, counter, progress)
    ids = [pair.id for pair in pairs]
    ends = {
        "example": ids,
        "clean": outcome.clean,
        "empty": outcome.empty,
        "graph_edges": model.graph.n_edges,
    }
    return CircuitTables(_table(ids, circuits, outcome), pd.DataFrame(ends), model.graph.n_edges)


def _table(ids: list[str], circuits: Sequence[SizedCircuit], outcome: Outcome) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {
                "example": ids,
                "ranking": one.ranking.value,
                "fraction": one.fraction,
                "n_requested": one.n_requested,
                "n_edges": one.circuit.n_edges,
                "weighted_edges": one.circuit.weighted_real_edges,
                "value": values,
            }
        )
        for one, values in zip(circuits, outcome.circuits, strict=True)
    ]
    return pd.concat(frames, ignore_index=True)
