"""From a dictionary held against the truth to every metric of recovery, and the tables behind them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric
from mibench.metrics.sae.absorption_truth import Families, absorption_truth
from mibench.metrics.sae.code_sums import CodeSums
from mibench.metrics.sae.faithful_codes import (
    SampleColumns,
    dead_in_sample,
    l0_gap,
    latent_slope,
    recovered_norm,
    recovered_variance,
)
from mibench.metrics.sae.hedging_truth import hedging_truth
from mibench.metrics.sae.latent_f1 import feature_f1, latent_f1, latent_precision, latent_recall
from mibench.metrics.sae.matching import Matching, closest, match
from mibench.metrics.sae.recovery import (
    mcc_codes,
    mcc_decoder,
    mmcs,
    recovery_at_90,
    recovery_at_90_weighted,
    splitting,
    uniqueness,
)
from mibench.metrics.sae.sparsity import l0
from mibench.metrics.sae.terms import Terms, metric_value
from mibench.records.record import MetricValue

Measured = tuple[Metric[..., Any], Terms]

RECOVERY: tuple[Metric[..., Any], ...] = (
    mmcs,
    mcc_decoder,
    mcc_codes,
    recovery_at_90,
    recovery_at_90_weighted,
    uniqueness,
    splitting,
    latent_precision,
    latent_recall,
    latent_f1,
    feature_f1,
    absorption_truth,
    hedging_truth,
    recovered_variance,
    recovered_norm,
    l0_gap,
    latent_slope,
    dead_in_sample,
    l0,
)
"""Every metric of recovery, in the order of `recovery_terms`."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """A dictionary held against the truth.

    Attributes:
        cosines: Of decoder rows and true directions ``[latents, features]``; absolute where codes may be negative.
        rates: How often each true feature fires ``[features]``.
        families: Who is whose parent.
        sums: Of codes over samples.
        samples: Numbers of each sample.
    """

    cosines: FloatArray
    rates: FloatArray
    families: Families
    sums: CodeSums
    samples: SampleColumns

    @cached_property
    def by_cosine(self) -> Matching:
        """One-to-one matching by decoder."""
        return match(self.cosines)

    @cached_property
    def by_code(self) -> Matching:
        """One-to-one matching by absolute correlation of codes."""
        return match(np.abs(self.sums.correlations()))


def recovery_terms(evidence: Evidence) -> list[Measured]:
    """Return every metric of recovery with its terms."""
    cosines, sums, matching, samples = evidence.cosines, evidence.sums, evidence.by_cosine, evidence.samples
    terms = (
        mmcs(cosines),
        mcc_decoder(matching),
        mcc_codes(evidence.by_code),
        recovery_at_90(matching),
        recovery_at_90_weighted(matching, evidence.rates),
        uniqueness(cosines),
        splitting(cosines),
        latent_precision(sums, cosines),
        latent_recall(sums, cosines),
        latent_f1(sums, cosines),
        feature_f1(sums, matching),
        absorption_truth(sums, cosines, matching, evidence.families),
        hedging_truth(cosines, evidence.families.parents),
        recovered_variance(samples),
        recovered_norm(samples),
        l0_gap(samples),
        latent_slope(sums, matching),
        dead_in_sample(sums),
        Terms(samples.l0, "samples"),
    )
    return list(zip(RECOVERY, terms, strict=True))


def recovery_values(evidence: Evidence) -> dict[str, float | None]:
    """Return the bare numbers, for controls; None where one is undefined."""
    return {declared.name: terms.value for declared, terms in recovery_terms(evidence)}


def recovery_metrics(evidence: Evidence, resampling: Resampling) -> dict[str, MetricValue]:
    """Return every metric of recovery with its interval."""
    return {declared.name: metric_value(declared, terms, resampling) for declared, terms in recovery_terms(evidence)}


def feature_table(evidence: Evidence) -> pd.DataFrame:
    """One row a true feature.

    Columns: feature, rate, parent (−1: none), latent (matched by cosine, −1: none) and its cosine, largest cosine of
    any latent, latent matched by code and its absolute correlation, F1 of the matched latent, samples it fires in.
    """
    matching, by_code = evidence.by_cosine, evidence.by_code
    return pd.DataFrame(
        {
            "feature": np.arange(len(evidence.rates)),
            "rate": evidence.rates,
            "parent": evidence.families.parents,
            "latent": matching.latent,
            "cosine": matching.similarity,
            "largest_cosine": evidence.cosines.max(axis=0),
            "latent_by_code": by_code.latent,
            "correlation": by_code.similarity,
            "f1": feature_f1(evidence.sums, matching).top,
            "fired": evidence.sums.code_fired,
        }
    )


def latent_table(evidence: Evidence) -> pd.DataFrame:
    """One row a latent: its closest true feature, their cosine, precision, recall, F1, samples it fires in."""
    best = closest(evidence.cosines)
    return pd.DataFrame(
        {
            "latent": np.arange(len(best)),
            "feature": best,
            "cosine": evidence.cosines[np.arange(len(best)), best],
            "precision": latent_precision(evidence.sums, evidence.cosines).top,
            "recall": latent_recall(evidence.sums, evidence.cosines).top,
            "f1": latent_f1(evidence.sums, evidence.cosines).top,
            "fired": evidence.sums.latent_fired,
        }
    )


def sample_table(evidence: Evidence) -> pd.DataFrame:
    """One row a sample: the columns of `SampleColumns`."""
    return pd.DataFrame(vars(evidence.samples))
