"""How well interchange interventions find the sites where a variable is known to live."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.metric import Metric, metric
from mibench.metrics.truth.ranks import Detection, area_of_ranks, precision_of_ranks
from mibench.metrics.truth.site_table import SITE_TRUTH_COLUMNS
from mibench.metrics.truth.values import value_of
from mibench.records.record import MetricValue

_NO_TRUE = "none of the evaluated sites is a true one"
_EVERY = "these are all the sites that were looked at: they are no sample"


@dataclass(frozen=True, eq=False)
class KnownSites:
    """Sites that were intervened on one by one, and which of them are true; all arrays `[sites]`.

    Attributes:
        iia: Interchange intervention accuracy.
        true: Whether the variable lives there.
        chosen: Whether validation chose it.
        found: Whether nothing tells it from the best site.
        overlap: Of the featurizer's subspace with the true one; NaN: not known.
        overlap_floor: The same of random subspaces.
        reasons: Why an overlap is not known.
    """

    iia: FloatArray
    true: BoolArray
    chosen: BoolArray
    found: BoolArray
    overlap: FloatArray
    overlap_floor: FloatArray
    reasons: tuple[str, ...]

    @property
    def chance(self) -> float:
        """Share of the sites that are true."""
        return float(self.true.mean())


@metric(name="site_auroc", version=1, track="variable", unit="", higher_is_better=True, floor=0.5, ceiling=1.0)
def site_auroc(sites: KnownSites) -> Detection:
    """Probability that the variable's own sites have a higher IIA than the others, over pairs; ties count half.

    Over the sites that the cell evaluates one by one, normalised IIA on the scored rows.

    Range: [0, 1], 0.5 is chance. Higher is better. Source: mibench; Mann and Whitney 1947.

    Args:
        sites: Accuracies and truth.
    """
    return area_of_ranks(sites.true, sites.iia)


@metric(name="site_average_precision", version=1, track="variable", unit="", higher_is_better=True, ceiling=1.0)
def site_average_precision(sites: KnownSites) -> Detection:
    """Average precision of IIA over the evaluated sites: Σ (recall step × precision), from the highest down.

    Range: (0, 1]; the floor is the mean over all orders. Higher is better. Source: standard, as in scikit-learn.

    Args:
        sites: Accuracies and truth.
    """
    return precision_of_ranks(sites.true, sites.iia)


@metric(name="site_found", version=1, track="variable", unit="", higher_is_better=True, ceiling=1.0)
def site_found(sites: KnownSites) -> Detection:
    """1 if the site that validation chose is a true one, else 0.

    Range: 0 or 1; the share of true sites is chance. Higher is better. Source: mibench.

    Args:
        sites: The choice and the truth.
    """
    if not sites.true.any():
        return Detection(None, _NO_TRUE)
    if not sites.chosen.any():
        return Detection(None, "validation chose several sites that go together")
    return Detection(float(sites.true[sites.chosen].all()), n=len(sites.true), floor=sites.chance)


@metric(name="site_precision", version=1, track="variable", unit="", higher_is_better=True, ceiling=1.0)
def site_precision(sites: KnownSites) -> Detection:
    """Share of the found sites that are true; found: the interval of the difference from the best site reaches 0.

    Range: [0, 1]; the share of true sites is chance. Higher is better. Source: mibench.

    Args:
        sites: What is found and what is true.
    """
    return _share(sites, of=sites.found, which=sites.true, chance=sites.chance)


@metric(name="site_recall", version=1, track="variable", unit="", higher_is_better=True, ceiling=1.0)
def site_recall(sites: KnownSites) -> Detection:
    """Share of the true sites among those evaluated that are found; found as in `site_precision`.

    Low where one copy of a variable serves better than the others: then the truth has sites that matter less.

    Range: [0, 1]; the share of sites that are found is chance. Higher is better. Source: mibench.

    Args:
        sites: What is found and what is true.
    """
    return _share(sites, of=sites.true, which=sites.found, chance=float(sites.found.mean()))


@metric(name="subspace_overlap", version=1, track="variable", unit="", higher_is_better=True, ceiling=1.0)
def subspace_overlap_at_sites(sites: KnownSites) -> Detection:
    """Mean cos² of the principal angles between a featurizer's subspace and the true one, mean over true sites.

    The featurizer's subspace is the one in which an interchange changes the activation; linear featurizers only.

    Range: [0, 1]; random subspaces of k of d directions reach max(k, k')/d, k' being the true number. Higher is better.
    Source: mibench; principal angles: Björck and Golub 1973.

    Args:
        sites: Overlaps and truth.
    """
    if not sites.true.any():
        return Detection(None, _NO_TRUE)
    known = sites.true & ~np.isnan(sites.overlap)
    if not known.any():
        return Detection(None, sites.reasons[int(sites.true.argmax())] or "the true subspace is not known")
    return Detection(
        float(sites.overlap[known].mean()), n=int(known.sum()), floor=float(sites.overlap_floor[known].mean())
    )


SITE_TRUTH: tuple[Metric[[KnownSites], Detection], ...] = (
    site_auroc,
    site_average_precision,
    site_found,
    site_precision,
    site_recall,
    subspace_overlap_at_sites,
)
"""Every metric that compares sites and featurizers with the known truth."""


def site_truth_metrics(table: pd.DataFrame) -> dict[str, MetricValue]:
    """Return every metric of sites against the truth, from their table alone; a table without rows gives reasons.

    Args:
        table: From `mibench.metrics.truth.site_table.site_truth_table`.

    Raises:
        DataError: A column is missing, or an accuracy is not a number.
    """
    missing = [name for name in SITE_TRUTH_COLUMNS if name not in table.columns]
    if missing or table["iia"].isna().any():
        why = f"It has no column {', '.join(missing)}." if missing else "A site has no accuracy."
        raise DataError("The table of known sites cannot be used.", why=why, do="Score the artifact again.")
    if table.empty:
        nothing = Detection(None, "no site was intervened on by itself")
        return {declared.name: value_of(declared, nothing, _EVERY) for declared in SITE_TRUTH}
    sites = KnownSites(
        iia=table["iia"].to_numpy(dtype=np.float64),
        true=table["true"].to_numpy(dtype=np.bool_),
        chosen=table["chosen"].to_numpy(dtype=np.bool_),
        found=table["found"].to_numpy(dtype=np.bool_),
        overlap=table["overlap"].to_numpy(dtype=np.float64),
        overlap_floor=table["overlap_floor"].to_numpy(dtype=np.float64),
        reasons=tuple(str(reason) for reason in table["overlap_reason"]),
    )
    return {declared.name: value_of(declared, declared(sites), _EVERY) for declared in SITE_TRUTH}


def _share(sites: KnownSites, *, of: BoolArray, which: BoolArray, chance: float) -> Detection:
    if not sites.true.any():
        return Detection(None, _NO_TRUE)
    return Detection(float(which[of].mean()), n=int(of.sum()), floor=chance)
