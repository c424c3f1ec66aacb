"""Circuit scores whose quality is known beforehand: the truth, the truth with mistakes, and noise."""

from __future__ import annotations

import numpy as np

from mibench.artifacts.circuit import CircuitScores, shape_of
from mibench.artifacts.truth_scores import flawed, truth_scores
from mibench.core.specs import Level
from mibench.core.truth import TaskTruth
from mibench.graph.graph import Graph


def oracle(graph: Graph, truth: TaskTruth, level: Level = Level.EDGE) -> CircuitScores:
    """Return 1 for true edges, or nodes, and 0 for all others.

    Raises:
        UsageError: The truth names an edge that the graph does not have.
        ArtifactError: Neurons are asked for, whose number a graph does not tell.
    """
    return CircuitScores(graph, level, truth_scores(graph, truth, level), method="known-truth")


def partial_truth(graph: Graph, truth: TaskTruth, share: float, seed: int, level: Level = Level.EDGE) -> CircuitScores:
    """Return the oracle with a share of the true items exchanged for as many false ones, drawn from the seed.

    Raises:
        UsageError: The truth names an edge that the graph does not have.
        ArtifactError: Neurons are asked for.
    """
    scores = truth_scores(graph, truth, level)
    real = graph.real_mask if level is Level.EDGE else np.ones(scores.shape, dtype=np.bool_)
    return CircuitScores(graph, level, flawed(scores, real, 1 - share, np.random.default_rng(seed)))


def noise_scores(graph: Graph, seed: int, level: Level = Level.EDGE) -> CircuitScores:
    """Return independent normal scores, drawn from the seed: as good as no method.

    Raises:
        ArtifactError: Neurons are asked for.
    """
    shape = shape_of(graph, level, None)
    return CircuitScores(graph, level, np.random.default_rng(seed).normal(size=shape), method="random")
