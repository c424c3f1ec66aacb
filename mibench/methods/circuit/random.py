"""Random scores: the floor that every method has to beat."""

from __future__ import annotations

from mibench.artifacts.circuit import CircuitScores, shape_of
from mibench.methods.method import method
from mibench.methods.view import CircuitView


@method(track="circuit", name="random", version=1, needs=("randomness",), levels=("edge", "node", "neuron"))
def random(view: CircuitView) -> CircuitScores:
    """Uniform noise in [0, 1), one draw from the cell's seed.

    Cost: none. Signed and absolute rankings are the same. Source: the Random row of MIB (Mueller et al. 2025).
    """
    shape = shape_of(view.graph, view.level, view.model.anatomy.d_model)
    return view.scores(view.generator.random(shape))
