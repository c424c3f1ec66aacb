"""The known truth as scores: the ceiling on models whose mechanism is known."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from mibench.artifacts.circuit import CircuitScores, shape_of
from mibench.artifacts.truth_scores import flawed, truth_scores
from mibench.core.errors import MethodError
from mibench.core.specs import Level
from mibench.methods.method import method
from mibench.methods.view import CircuitView


@method(track="circuit", name="known-truth", version=1, needs=("randomness",), levels=("edge", "node", "neuron"))
def known_truth(view: CircuitView, *, kept: Annotated[float, Field(ge=0, le=1)] = 1.0) -> CircuitScores:
    """1 for every edge, node or neuron that is known to carry the task, 0 for all else.

    Equals are in an order drawn from the seed, so that what is missed comes back by chance: to each score is added
    less than a half. A control, not a method: no other method sees the truth. Cost: none. Signed and absolute
    rankings are the same. Source: as the circuits that InterpBench's models were trained to have (Gupta et al. 2024,
    arXiv:2407.14494), taken for a method.

    Args:
        view: The cell's view.
        kept: Share of the true items that stay true; each other one is exchanged for a false one, drawn from the
            seed. Numbers between truth and noise tell whether a metric falls as a circuit gets worse.

    Raises:
        MethodError: Nothing is known of this task on this model.
    """
    if view.truth is None:
        raise MethodError(
            "The truth of this task on this model is not known.",
            why="There is no truth.json beside the weights, or it does not name the task.",
            do="Leave known-truth out, or use a model whose mechanism is known: mibench list models.",
        )
    # Neurons of a node are exchanged together: what is known is which nodes carry the task.
    level = Level.NODE if view.level is Level.NEURON else view.level
    scores = truth_scores(view.graph, view.truth, level)
    real = view.graph.real_mask if level is Level.EDGE else np.ones(scores.shape, dtype=np.bool_)
    generator = view.generator
    found = flawed(scores, real, kept, generator)
    shape = shape_of(view.graph, view.level, view.model.anatomy.d_model)
    wide = found if found.shape == shape else np.broadcast_to(found[:, None], shape)
    return view.scores(wide + generator.random(shape) / 2)
