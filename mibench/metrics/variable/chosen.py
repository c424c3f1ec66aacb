"""Interchange intervention accuracy at sites that were chosen on validation, and of doing nothing."""

from __future__ import annotations

import numpy as np

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.variable.layers import selected_by_layer
from mibench.metrics.variable.means import Means
from mibench.metrics.variable.site_metric import Scored

NO_CAUSE = "no row's answer is changed by the interchange (cause), so there is nothing to find"
_NO_ROOM = "doing nothing is already right on every row that should change"


@metric(
    name="iia_chosen", version=1, track="variable", unit="", higher_is_better=True, of="sites", ceiling=1.0
)  # fmt: skip
def iia_chosen(means: Means) -> Scored:
    """IIA at the site that was chosen on validation.

    Mean over counterfactual sets of the share of rows whose answer after the interchange is the causal model's, rows
    that must not change included. The choice is held fixed in the bootstrap. Floor: the no-op on the same rows.

    Range: [0, 1]. Higher is better. Source: Geiger et al. 2021 (arXiv 2106.02997) for IIA; site selection: mibench.
    """
    return over_all(means)[..., means.examples.chosen]


@metric(
    name="normalised_iia", version=1, track="variable", unit="", higher_is_better=True, of="sites", floor=0.0,
    ceiling=1.0,
)  # fmt: skip
def normalised_iia(means: Means) -> Scored:
    """IIA at the chosen site over rows whose answer must change, scaled so that doing nothing is 0.

    ``(c − c0) / (1 − c0)``: ``c`` is the mean over sets (those that have such rows) of the share of cause rows that
    the intervention gets right, ``c0`` the same of the no-op. Site chosen on validation, the test looked at once. The
    headline of the track.

    Range: (−∞, 1]. Higher is better. Source: mibench; IIA as in Geiger et al. 2021 (arXiv 2106.02997).
    """
    values = normalised(means)
    return values if isinstance(values, str) else values[..., means.examples.chosen]


@metric(
    name="normalised_average", version=1, track="variable", unit="", higher_is_better=True, of="sites", floor=0.0,
    ceiling=1.0,
)  # fmt: skip
def normalised_average(means: Means) -> Scored:
    """Mean over layers of the normalised IIA at the group that validation selects in each layer.

    As `normalised_iia`, but for every layer that the cell looks at: how much of the variable is found throughout the
    network. MIB's average without its selection on test, and with a floor at 0.

    Range: (−∞, 1]. Higher is better. Source: mibench, after MIB (arXiv 2504.13151).
    """
    values = normalised(means)
    return values if isinstance(values, str) else selected_by_layer(means.examples, values)


@metric(name="noop_iia", version=1, track="variable", unit="", higher_is_better=None, of="sites")
def noop_iia(means: Means) -> Scored:
    """IIA of doing nothing: the floor of IIA in MIB's sense.

    Mean over counterfactual sets of the share of rows that the un-intervened model answers as the causal model does
    after the interchange: rows that must not change are right without any intervention.

    Range: [0, 1]. Neither end is better. Source: mibench; measured on the rows that are scored.
    """
    return over_all(means)[..., -1]


@metric(name="iia_set", version=1, track="variable", unit="", higher_is_better=True, ceiling=1.0)
def iia_set(means: Means, name: str) -> FloatArray:
    """IIA at the chosen site in one counterfactual set; in records ``iia_set:<set>``.

    Share of the set's rows whose answer after the interchange is the causal model's. Floor: the no-op on these rows.

    Range: [0, 1]. Higher is better. Source: Geiger et al. 2021 (arXiv 2106.02997).
    """
    return means.correct["all"][..., means.examples.sets.index(name), means.examples.chosen]


def over_all(means: Means) -> FloatArray:
    """Return the IIA of every group, mean over all sets. `[..., groups + 1]`."""
    return np.asarray(means.correct["all"].mean(axis=-2))


def normalised(means: Means) -> Scored:
    """Return (c − c0) / (1 − c0) of every group, or why there is none. `[..., groups + 1]`."""
    values = means.over_sets("cause")
    return NO_CAUSE if values is None else scaled(values, values[..., -1])


def scaled(values: FloatArray, floor: FloatArray) -> Scored:
    """Scale ``values`` `[..., groups]` so that ``floor`` `[...]` is 0 and 1 stays; NaN in replicates without room."""
    room = 1 - floor[..., None]
    if not (room > 0).any():
        return _NO_ROOM
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(room > 0, (values - floor[..., None]) / room, np.nan)
