"""k-sparse probes: a few features are chosen on train, a logistic regression on them is tuned on validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.sae.logistic import Linear, fit_logistic, log_loss

Columns = NDArray[np.int64]


@dataclass(frozen=True)
class ProbeRule:
    """How probes are made.

    Attributes:
        standardise: Divide by the standard deviation on train, when features are chosen and before the fit.
        strengths: Candidates of C, the weight of the data against the penalty; of several, validation chooses one.
    """

    standardise: bool = True
    strengths: tuple[float, ...] = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)


SAEBENCH_RULE = ProbeRule(standardise=False, strengths=(1.0,))
"""SAEBench 0.6: features ranked by |mean difference| as they are, C = 1, nothing tuned."""


@dataclass(frozen=True)
class Split:
    """Rows of a labelled set by their use.

    Attributes:
        train, validation, scored: Indices of rows; ``scored`` is looked at once, by a finished probe.
        labels: Of all rows. `[rows]`
    """

    train: Columns
    validation: Columns
    scored: Columns
    labels: BoolArray


@dataclass(frozen=True)
class SparseProbe:
    """A classifier that reads a few features.

    Attributes:
        columns: Features it reads, best first. `[k]`
        centre, scale: Subtracted and divided by first. `[k]`
        linear: The logistic regression.
        strength: C that was used.
    """

    columns: Columns
    centre: FloatArray
    scale: FloatArray
    linear: Linear
    strength: float

    def scores(self, features: NDArray[np.floating]) -> FloatArray:
        """Log odds of rows. `[rows, width] -> [rows]`."""
        chosen = features[:, self.columns].astype(np.float64)
        return self.linear.scores((chosen - self.centre) / self.scale)


def class_difference(features: NDArray[np.floating], labels: BoolArray, *, standardise: bool) -> FloatArray:
    """``|mean of positives − mean of negatives|`` of each feature. `[rows, width] -> [width]`.

    Args:
        features: `[rows, width]`
        labels: `[rows]`
        standardise: Divide by the standard deviation over all rows; a constant feature gets 0.
    """
    positive = features[labels].mean(axis=0, dtype=np.float64)
    negative = features[~labels].mean(axis=0, dtype=np.float64)
    difference: FloatArray = np.abs(positive - negative)
    if not standardise:
        return difference
    deviation = features.std(axis=0, dtype=np.float64)
    return np.asarray(np.divide(difference, deviation, out=np.zeros_like(difference), where=deviation > 0))


def best_features(differences: FloatArray, k: int) -> Columns:
    """Return the ``k`` features of the largest difference, best first, the first of equals. `[min(k, width)]`."""
    found: Columns = np.argsort(-differences, kind="stable")[:k].astype(np.int64)
    return found


def fit_probe(features: NDArray[np.floating], split: Split, columns: Columns, rule: ProbeRule) -> SparseProbe:
    """Fit on train each C of the rule and keep the one with the lowest log loss on validation, the smallest of equals.

    Args:
        features: Pooled features of all rows of the set. `[rows, width]`
        split: Which rows are for what.
        columns: Features that the probe may read.
        rule: How.
    """
    train = features[np.ix_(split.train, columns)].astype(np.float64)
    centre, scale = np.zeros(len(columns)), np.ones(len(columns))
    if rule.standardise:
        centre, deviation = train.mean(axis=0), train.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
    labels = split.labels[split.train]
    probes = [
        SparseProbe(columns, centre, scale, fit_logistic((train - centre) / scale, labels, strength), strength)
        for strength in sorted(rule.strengths)
    ]
    if len(probes) == 1:
        return probes[0]
    told = split.labels[split.validation]
    return min(probes, key=lambda probe: log_loss(probe.scores(features[split.validation]), told))


def sparse_probes(
    features: NDArray[np.floating], split: Split, ks: Sequence[int], rule: ProbeRule
) -> dict[int, SparseProbe]:
    """Return the probe of each k; features are ranked once, on train."""
    train = features[split.train]
    differences = class_difference(train, split.labels[split.train], standardise=rule.standardise)
    return {k: fit_probe(features, split, best_features(differences, k), rule) for k in ks}


def dense_probe(features: NDArray[np.floating], split: Split, rule: ProbeRule) -> SparseProbe:
    """Return the probe that reads every feature."""
    return fit_probe(features, split, np.arange(features.shape[1], dtype=np.int64), rule)
