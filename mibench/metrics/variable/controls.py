"""Expressivity controls: what the same method reaches where there is nothing to find."""

from __future__ import annotations

import numpy as np

from mibench.metrics.metric import metric
from mibench.metrics.variable.chosen import NO_CAUSE, normalised_iia, scaled
from mibench.metrics.variable.means import Means
from mibench.metrics.variable.site_metric import Scored
from mibench.metrics.variable.tables import CONTROL_LABELS, CONTROL_WEIGHTS, CONTROLS

_HOW = {CONTROL_WEIGHTS: "control-weights", CONTROL_LABELS: "control-labels"}


@metric(name="control_weights", version=1, track="variable", unit="", higher_is_better=None, of="sites", ceiling=1.0)
def control_weights(means: Means) -> Scored:
    """What the method reaches on the model with shuffled weights: accuracy that only its featurizers can have made.

    Cause rows, mean over sets, the best site of the control on these very rows (generous to the control), scaled as
    `normalised_iia` by the no-op of the control. Measured with ``--extra control-weights``.

    Range: (−∞, 1]. Neither end is better: it says what to discount. Source: Sutter et al. 2025 (arXiv 2507.08802).
    """
    return _control(means, CONTROL_WEIGHTS)


@metric(name="control_labels", version=1, track="variable", unit="", higher_is_better=None, of="sites", ceiling=1.0)
def control_labels(means: Means) -> Scored:
    """What the method reaches when the labels are those of other rows: accuracy that needs no causal structure.

    As `control_weights`, with shuffled labels in place of shuffled weights. Measured with ``--extra control-labels``.

    Range: (−∞, 1]. Neither end is better: it says what to discount. Source: after Hewitt and Liang 2019
    (arXiv 1909.03368).
    """
    return _control(means, CONTROL_LABELS)


@metric(
    name="selectivity", version=1, track="variable", unit="", higher_is_better=True, of="sites", floor=0.0,
    ceiling=1.0,
)  # fmt: skip
def selectivity(means: Means) -> Scored:
    """`normalised_iia` less the highest expressivity control that was measured.

    Near 0: the featurizers are so expressive that they reach their accuracy without the variable being there.

    Range: (−∞, ∞), in practice [−1, 1]. Higher is better. Source: after Hewitt and Liang 2019 (arXiv 1909.03368).
    """
    value = normalised_iia(means)
    if isinstance(value, str):
        return value
    found = [each for each in (_control(means, name) for name in CONTROLS) if not isinstance(each, str)]
    return value - np.max(found, axis=0) if found else _not_measured(*_HOW.values())


def _control(means: Means, name: str) -> Scored:
    if means.over_sets("cause") is None:
        return NO_CAUSE
    if name not in means.controls:
        return _not_measured(_HOW[name])
    found = means.controls[name]
    values = scaled(found[..., :-1], found[..., -1])
    return values if isinstance(values, str) else values.max(axis=-1)


def _not_measured(*extras: str) -> str:
    return "not measured: run with " + " or ".join(f"--extra {name}" for name in extras)
