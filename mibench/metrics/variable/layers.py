"""From one number a group to one number a model: the best group of each layer, then over layers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.variable.examples import VariableExamples
from mibench.metrics.variable.site_metric import Scored
from mibench.metrics.variable.tables import JOINT


def best_by_layer(examples: VariableExamples, values: FloatArray, *, higher: bool = True) -> FloatArray:
    """Return the best of each layer's groups. `[..., groups + 1] -> [..., layers]`."""
    pick = np.max if higher else np.min
    return np.stack([pick(values[..., groups], axis=-1) for groups in examples.by_layer.values()], axis=-1)


def selected_by_layer(examples: VariableExamples, values: FloatArray) -> Scored:
    """Return the mean over layers of the group that validation selects there, or why a layer has none."""
    selected = {layer: examples.best_of(groups) for layer, groups in examples.by_layer.items()}
    found = {layer: index for layer, index in selected.items() if index is not None}
    absent = missing_layers(examples, found, asked=True)
    return absent or values[..., list(found.values())].mean(axis=-1)


def missing_layers(examples: VariableExamples, scored: Iterable[int], *, asked: bool = False) -> str | None:
    """Return which layers lack a scored site, or None.

    Args:
        examples: Where the sites are from.
        scored: Layers that have one.
        asked: Whether the cell's layers are enough, or every layer of the model is needed.
    """
    known = set(scored)
    if JOINT in known:
        return None
    wanted = examples.asked if asked and examples.asked is not None else examples.n_layers
    if wanted is None:
        return "the tables do not say how many layers the model has (n_layers)"
    layers = set(range(wanted)) if isinstance(wanted, int) else set(wanted)
    absent = sorted(layers - known)
    if not absent:
        return None
    return f"{len(absent)} of {len(layers)} layers have no scored site, layer {absent[0]} first; a mean needs them all"
