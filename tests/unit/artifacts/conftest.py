"""Small scores of every level."""

from __future__ import annotations

import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores
from mibench.core.specs import Level
from mibench.graph.graph import Graph


@pytest.fixture
def make_scores():
    def make(level=Level.EDGE, *, graph=None, d_model=4, dtype=np.float64, seed=0, **extra) -> CircuitScores:
        graph = graph or Graph(2, 3)
        shape = {
            Level.EDGE: graph.shape,
            Level.NODE: (graph.n_sources,),
            Level.NEURON: (graph.n_sources, d_model),
        }
        values = np.random.default_rng(seed).normal(size=shape[level]).astype(dtype)
        if level is not Level.EDGE:
            values.flat[1] = np.nan
        return CircuitScores(graph, level, values, d_model, **extra)

    return make
