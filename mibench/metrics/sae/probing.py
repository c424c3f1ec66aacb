"""k-sparse probing: accuracy and area of probes on a few latents, and their gaps to what needs no dictionary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mibench.metrics.bootstrap import Interval, Resampling, percentile_interval
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric, metric
from mibench.metrics.sae.clustered import estimates, replicates
from mibench.metrics.sae.normalised import normalised
from mibench.metrics.sae.probe_tables import DENSE, FROZEN, LATENTS, RAW, Probe, ProbeScores, read_scores
from mibench.records.record import MetricValue

CHANCE = 0.5
CI_SOURCE = "sources"
"""What is resampled first: texts of one source are in several data sets."""
NO_BEST_EPOCH = "SAEBench keeps the epoch that is best on test; that is not imitated"

Scored = FloatArray | str
"""Values, or why there are none."""


@dataclass(frozen=True)
class ProbeMeans:
    """Accuracies and areas of all probes, averaged over sets: of the sample, or of every replicate.

    Attributes:
        probes: What each column is of.
        values: Accuracies, then areas. `[..., 2 · probes]`
        no_frozen: Why there is no frozen decoder to compare with, where there is none.
    """

    probes: tuple[Probe, ...]
    values: FloatArray
    no_frozen: str = "no frozen decoder was at hand"

    def accuracy(self, features: str, k: int) -> Scored:
        """Mean accuracy of a probe. `[...]`."""
        return self._column(features, k, 0)

    def auc(self, features: str, k: int) -> Scored:
        """Mean area of a probe. `[...]`."""
        return self._column(features, k, len(self.probes))

    def _column(self, features: str, k: int, offset: int) -> Scored:
        if (features, k) in self.probes:
            found: FloatArray = self.values[..., offset + self.probes.index((features, k))]
            return found
        return self.no_frozen if features == FROZEN else f"no probe with k = {k} was made"


ProbeMetric = Metric[[ProbeMeans, int], Scored]


@metric(name="probe_accuracy_k", version=1, track="sae", unit="", higher_is_better=True)
def probe_accuracy(means: ProbeMeans, k: int) -> Scored:
    """Accuracy of a logistic regression on k latents, mean over data sets; in records ``probe_accuracy_k<k>``.

    Latents are pooled over the tokens of a text; the k with the largest |mean difference| / standard deviation on
    train are read, C is tuned on validation, and the scored split is looked at once. Sets are balanced. Floor: the same
    with a frozen random decoder as wide and as sparse; chance (.5) where there is none. Ceiling: a probe on the whole
    activation.

    Range: [0, 1]. Higher is better. Source: Gao et al. 2024 (arXiv 2406.04093), Gurnee et al. 2023 (arXiv 2305.01610);
    protocol after Kantamneni et al. 2025 (arXiv 2502.16681).
    """
    return means.accuracy(LATENTS, k)


@metric(name="probe_auc_k", version=1, track="sae", unit="", higher_is_better=True)
def probe_auc(means: ProbeMeans, k: int) -> Scored:
    """Area under the ROC curve of the same probes, mean over data sets; in records ``probe_auc_k<k>``.

    Range: [0, 1]. Higher is better. Source: as `probe_accuracy`.
    """
    return means.auc(LATENTS, k)


@metric(name="probe_gap_raw_k", version=1, track="sae", unit="", higher_is_better=True)
def probe_gap_raw(means: ProbeMeans, k: int) -> Scored:
    """Accuracy with k latents less that with k entries of the activation, chosen, scaled and tuned in the same way.

    Above 0: the dictionary puts concepts into fewer directions than the neuron basis does. In records
    ``probe_gap_raw_k<k>``; same texts on both sides, also in the bootstrap.

    Range: [−1, 1]. Higher is better. Source: after Kantamneni et al. 2025 (arXiv 2502.16681).
    """
    return _minus(means.accuracy(LATENTS, k), means.accuracy(RAW, k))


@metric(name="probe_gap_dense", version=1, track="sae", unit="", higher_is_better=True, ceiling=0.0)
def probe_gap_dense(means: ProbeMeans, k: int) -> Scored:
    """Accuracy with k latents, k the largest, less that of a probe on the whole activation: what sparsity costs.

    Range: [−1, 1], rarely above 0. Higher is better. Source: after Kantamneni et al. 2025 (arXiv 2502.16681).
    """
    return _minus(means.accuracy(LATENTS, k), means.accuracy(DENSE, 0))


@metric(name="probe_gap_frozen_k", version=1, track="sae", unit="", higher_is_better=True, floor=0.0)
def probe_gap_frozen(means: ProbeMeans, k: int) -> Scored:
    """Accuracy with k latents less that with k latents of a frozen random decoder, as wide and as sparse.

    At 0 or below: what the probe finds needs no trained dictionary. In records ``probe_gap_frozen_k<k>``.

    Range: [−1, 1]. Higher is better. Source: after the frozen-decoder control of arXiv 2602.14111.
    """
    return _minus(means.accuracy(LATENTS, k), means.accuracy(FROZEN, k))


@metric(name="sae_top_k_test_accuracy", version=1, track="sae", unit="", higher_is_better=True, floor=0.5)
def sae_top_k(means: ProbeMeans, k: int) -> Scored:
    """SAEBench's accuracy with k latents, mean over data sets; in records ``sae_top_<k>_test_accuracy``.

    Mean over tokens, latents ranked on train by |mean difference| as they are, logistic regression with C = 1 on them
    as they are. The data sets are this task's, not SAEBench's.

    Range: [0, 1]. Higher is better. Source: Karvonen et al. 2025 (arXiv 2503.09532), version 0.6.
    """
    return means.accuracy(LATENTS, k)


@metric(name="llm_top_k_test_accuracy", version=1, track="sae", unit="", higher_is_better=None, floor=0.5)
def llm_top_k(means: ProbeMeans, k: int) -> Scored:
    """The same with k entries of the activation, no dictionary; in records ``llm_top_<k>_test_accuracy``.

    Range: [0, 1]. A property of the model, so neither end is better. Source: as `sae_top_k`.
    """
    return means.accuracy(RAW, k)


OWN: tuple[ProbeMetric, ...] = (probe_accuracy, probe_auc, probe_gap_raw, probe_gap_frozen)
SAEBENCH: tuple[ProbeMetric, ...] = (sae_top_k, llm_top_k)
_WITH_FLOOR = (probe_accuracy, probe_auc)


def probing_metrics(
    table: pd.DataFrame, ks: Sequence[int], resampling: Resampling, *, no_frozen: str = "no frozen decoder was at hand"
) -> dict[str, MetricValue]:
    """Return the metrics of k-sparse probing from the table of scores (`mibench.metrics.sae.probe_tables`).

    Raises:
        DataError: The table is not one of probe scores.
    """
    report = _report(table, resampling, no_frozen)
    found = {f"{one.name}{k}": report.value(one, k) for one in OWN for k in ks}
    found[probe_gap_dense.name] = report.value(probe_gap_dense, max(ks))
    scaled = {f"{one.name}{k}" for one in _WITH_FLOOR for k in ks}
    return found | {f"{name}_normalised": normalised(found[name]) for name in found if name in scaled}


def saebench_metrics(table: pd.DataFrame, ks: Sequence[int], resampling: Resampling) -> dict[str, MetricValue]:
    """Return SAEBench's metrics of sparse probing under its names; those that are not imitated are null.

    Raises:
        DataError: The table is not one of probe scores.
    """
    report = _report(table, resampling, "")
    found = {one.name.replace("_k_", f"_{k}_"): report.value(one, k) for one in SAEBENCH for k in ks}
    left_out = MetricValue(value=None, reason=NO_BEST_EPOCH)
    return found | {"sae_test_accuracy": left_out, "llm_test_accuracy": left_out}


@dataclass(frozen=True)
class _Report:
    """Everything that the numbers of one dictionary are taken from."""

    scores: ProbeScores
    sample: ProbeMeans
    replicates: ProbeMeans
    level: float

    @property
    def sources(self) -> set[str]:
        """Where the sets' texts come from."""
        return {one.source for one in self.scores.sets}

    def value(self, declared: ProbeMetric, k: int) -> MetricValue:
        """One number with its interval."""
        value = declared(self.sample, k)
        interval = Interval() if isinstance(value, str) else self._interval(declared, k)
        return MetricValue(
            value=None if isinstance(value, str) else float(value),
            reason=value if isinstance(value, str) else None,
            ci_low=interval.low,
            ci_high=interval.high,
            ci_source=None if interval.low is None else CI_SOURCE,
            ci_reason=interval.reason,
            n=len(self.sources),
            floor=self._floor(declared, k),
            ceiling=self._ceiling(declared),
            higher_is_better=declared.higher_is_better,
            version=declared.version,
        )

    def _interval(self, declared: ProbeMetric, k: int) -> Interval:
        if len(self.sources) < 2:
            return Interval(reason="all sets are from one source, which cannot be resampled")
        values = declared(self.replicates, k)
        if isinstance(values, str):
            return Interval(reason=values)
        return percentile_interval(values, np.ones(values.shape, dtype=np.bool_), self.level)

    def _floor(self, declared: ProbeMetric, k: int) -> float | None:
        column = _COLUMN_OF.get(declared.name)
        if column is None:
            return declared.floor
        frozen = column(self.sample, FROZEN, k)
        return CHANCE if isinstance(frozen, str) else float(frozen)

    def _ceiling(self, declared: ProbeMetric) -> float | None:
        column = _COLUMN_OF.get(declared.name)
        dense = "" if column is None else column(self.sample, DENSE, 0)
        return declared.ceiling if isinstance(dense, str) else float(dense)


_COLUMN_OF: dict[str, Callable[[ProbeMeans, str, int], Scored]] = {
    probe_accuracy.name: ProbeMeans.accuracy,
    probe_auc.name: ProbeMeans.auc,
}
"""Metrics whose floor and ceiling are measured."""


def _report(table: pd.DataFrame, resampling: Resampling, no_frozen: str) -> _Report:
    scores = read_scores(table)
    sample = ProbeMeans(scores.probes, estimates(scores.sets), no_frozen)
    resampled = ProbeMeans(scores.probes, replicates(scores.sets, resampling), no_frozen)
    return _Report(scores, sample, resampled, resampling.level)


def _minus(first: Scored, second: Scored) -> Scored:
    if isinstance(first, str) or isinstance(second, str):
        return first if isinstance(first, str) else second
    return first - second
