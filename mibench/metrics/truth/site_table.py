"""Every site that was intervened on beside the known truth, as a table of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

from mibench.core.errors import DataError
from mibench.core.sites import Component, Site
from mibench.core.truth import TaskTruth
from mibench.metrics.bootstrap import Resampling, percentile_interval
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.truth.subspace import Overlap
from mibench.metrics.variable.chosen import normalised, over_all
from mibench.metrics.variable.examples import VariableExamples, read_tables
from mibench.metrics.variable.means import Means, measure
from mibench.metrics.variable.tables import JOINT, VariableTables

SITE_TRUTH_COLUMNS = (
    "site", "component", "layer", "head", "position", "score", "iia", "true", "chosen", "found",
    "overlap", "overlap_floor", "overlap_reason",
)  # fmt: skip


def site_truth_table(
    tables: VariableTables,
    truth: TaskTruth,
    variable: str,
    overlaps: Mapping[str, Overlap] = MappingProxyType({}),
    resampling: Resampling | None = None,
) -> pd.DataFrame:
    """One row a site that was intervened on by itself, columns `SITE_TRUTH_COLUMNS`; sites taken together have none.

    ``score`` is what validation chose by; ``iia`` the accuracy on the scored rows, normalised where that is defined;
    ``found``: the 95 % interval of its difference from the best site's, on the same rows, reaches 0, so that nothing
    tells it from the best. Null where there is no number.

    Args:
        tables: What the track measured.
        truth: What is known of the task.
        variable: The variable, or several joined by ``+``: then sites where all of them live are true.
        overlaps: How far the featurizer of a site agrees with the true subspace there, by site.
        resampling: How intervals are made.

    Raises:
        DataError: The tables are not usable.
    """
    how = resampling or Resampling()
    measured = measure(read_tables(tables), how)
    examples = measured.sample.examples
    alone = np.array([group.layer != JOINT for group in examples.groups])
    iia = _accuracy(measured.sample)[:-1]
    found = _found(iia, _accuracy(measured.replicates)[..., :-1], alone, how.level)
    frame = _rows(examples).assign(iia=iia, true=_true(examples, true_sites(truth, variable)), found=found)
    none = Overlap(None, reason="not compared with a known subspace")
    places = [overlaps.get(name, none) for name in frame["site"]]
    frame = frame.assign(
        overlap=np.array([one.value for one in places], dtype=np.float64),
        overlap_floor=np.array([one.floor for one in places], dtype=np.float64),
        overlap_reason=[one.reason or "" for one in places],
    )
    return frame.loc[alone, list(SITE_TRUTH_COLUMNS)].reset_index(drop=True)


def true_sites(truth: TaskTruth, variable: str) -> dict[Site, tuple[str | None, ...]]:
    """Return where a variable lives, with the names of the subspaces that span it there, None for an unknown one.

    Args:
        truth: What is known of the task.
        variable: The variable, or several joined by ``+``: where all of them live.
    """
    parts = variable.split("+")
    by_part: dict[str, dict[Site, list[str | None]]] = {part: {} for part in parts}
    for one in truth.sites:
        if one.variable in by_part:
            site = same_place(Site(one.layer, one.position, one.component, one.head))
            by_part[one.variable].setdefault(site, []).append(one.subspace)
    first, *others = by_part.values()
    shared = [site for site in first if all(site in other for other in others)]
    return {site: tuple(name for part in parts for name in by_part[part][site]) for site in shared}


def same_place(site: Site) -> Site:
    """Return the one name of a place that has two: the stream before a block is that after the block before."""
    if site.component is Component.RESIDUAL_PRE and site.layer > 0:
        return Site(site.layer - 1, site.position, Component.RESIDUAL_POST)
    return site


def _rows(examples: VariableExamples) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "site": [group.name for group in examples.groups],
            "component": [group.component for group in examples.groups],
            "layer": [group.layer for group in examples.groups],
            "head": [group.head for group in examples.groups],
            "position": [group.position for group in examples.groups],
            "score": examples.scores,
            "chosen": np.arange(len(examples.groups)) == examples.chosen,
        }
    )


def _accuracy(means: Means) -> FloatArray:
    """Normalised accuracy, or plain where that is not defined. `[..., groups + 1]`."""
    values = normalised(means)
    return over_all(means) if isinstance(values, str) else values


def _found(iia: FloatArray, replicates: FloatArray, alone: BoolArray, level: float) -> BoolArray:
    """Which sites nothing tells from the best of those that stand alone. `[groups]`."""
    if not alone.any():
        return alone
    best = int(np.where(alone, iia, -np.inf).argmax())
    found = iia >= iia[best]
    for place in np.flatnonzero(alone & ~found):
        behind = replicates[:, best] - replicates[:, place]
        interval = percentile_interval(behind, np.ones(len(behind), dtype=np.bool_), level)
        found[place] = interval.low is not None and interval.low <= 0
    return np.asarray(found & alone)


def _true(examples: VariableExamples, places: Collection[Site]) -> BoolArray:
    return np.array([_place(group.name) in places for group in examples.groups], dtype=np.bool_)


def _place(name: str) -> Site | None:
    try:
        return same_place(Site.parse(name))
    except DataError:
        return None
