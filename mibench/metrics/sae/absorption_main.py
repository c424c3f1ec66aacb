"""Main latents of a concept: the few that together tell it, as a k-sparse probe that grows while that helps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.sae.absorption_probes import f1

Ints = NDArray[np.int64]

_STEPS = 500


@dataclass(frozen=True)
class MainRule:
    """How main latents are chosen.

    Attributes:
        most: Main latents, at most.
        jump: Rise of F1 on validation that another one has to bring.
    """

    most: int = 10
    jump: float = 0.03


@dataclass(frozen=True, eq=False)
class Uses:
    """Rows by what they are used for.

    Attributes:
        train: Latents are chosen, and probes fitted, on these ``[train]``.
        validation: How many are taken is decided on these ``[validation]``.
        scored: What comes out is measured on these ``[scored]``.
    """

    train: Ints
    validation: Ints
    scored: Ints


@dataclass(frozen=True, eq=False)
class MainLatents:
    """Main latents of a concept.

    Attributes:
        latents: Which, the strongest first; none where no latent is larger for the concept.
        validation_f1: F1 of the probe on them, on validation.
        scored_f1: The same on the scored rows.
    """

    latents: Ints
    validation_f1: float
    scored_f1: float


def standardised_differences(latents: sp.csr_array, labels: BoolArray) -> FloatArray:
    """(Mean of a concept's rows − mean of the others) / standard deviation. ``[rows, d_sae] -> [concepts, d_sae]``.

    0 for a latent that is constant, and for a concept that all rows have or none.

    Args:
        latents: ``[rows, d_sae]``
        labels: ``[rows, concepts]``
    """
    own = _means(latents, labels)
    other = _means(latents, ~labels)
    mean = np.asarray(latents.mean(axis=0), dtype=np.float64).ravel()
    square = np.asarray(latents.multiply(latents).mean(axis=0), dtype=np.float64).ravel()
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    # What rounding leaves of the variance of a constant latent is no variance.
    varies = deviation > 1e-6 * np.sqrt(np.maximum(square, 0.0))
    counts = labels.sum(axis=0)
    usable = varies & ((counts > 0) & (counts < len(labels)))[:, None]
    return np.divide(own - other, deviation, out=np.zeros_like(own), where=usable)


def other_means(latents: sp.csr_array, labels: BoolArray) -> FloatArray:
    """Mean of each latent over the rows that do not have a concept. ``[rows, d_sae] -> [concepts, d_sae]``."""
    return _means(latents, ~labels)


def choose_main(latents: sp.csr_array, labels: BoolArray, uses: Uses, rule: MainRule) -> list[MainLatents]:
    """Choose main latents of each concept.

    Latents that are larger for the concept are taken in the order of their standardised difference on train, one by
    one, while F1 on validation rises by more than ``rule.jump``; the probe is a balanced logistic regression, fitted on
    train, on latents divided by their standard deviation. Nothing depends on the latents' scale. (Ordering them by the
    weights of a regression on the first 10 to 50 gave no higher F1 on SmolLM2.)

    Args:
        latents: ``[rows, d_sae]``
        labels: ``[rows, concepts]``
        uses: Which rows are for what.
        rule: How many.
    """
    differences = standardised_differences(latents[uses.train], labels[uses.train])
    columns = latents.tocsc()
    return [
        _choose(columns, labels[:, concept], uses, rule, differences[concept]) for concept in range(labels.shape[1])
    ]


def _means(latents: sp.csr_array, labels: BoolArray) -> FloatArray:
    counts = np.maximum(labels.sum(axis=0), 1)[:, None]
    sums = np.asarray(latents.T @ labels.astype(np.float64), dtype=np.float64)
    return np.asarray(sums.T / counts)


def _choose(
    latents: sp.csc_array, labels: BoolArray, uses: Uses, rule: MainRule, differences: FloatArray
) -> MainLatents:
    order = np.argsort(-differences, kind="stable")[: rule.most]
    ranked = order[differences[order] > 0].astype(np.int64)
    x = latents[:, ranked].toarray()
    x /= x[uses.train].std(axis=0)
    best, taken = (0.0, 0.0), 0
    for count in range(1, len(ranked) + 1):
        found = _probed(x[:, :count], labels, uses)
        if count > 1 and found[0] <= best[0] + rule.jump:
            break
        best, taken = found, count
    return MainLatents(ranked[:taken], *best)


def _probed(x: FloatArray, labels: BoolArray, uses: Uses) -> tuple[float, float]:
    """F1 on validation and on the scored rows."""
    weights, bias = _fit(x[uses.train], labels[uses.train])
    said = x @ weights + bias > 0
    on = (uses.validation, uses.scored)
    validation, scored = (float(f1(said[rows, None], labels[rows, None])[0]) for rows in on)
    return validation, scored


def _fit(x: FloatArray, labels: BoolArray) -> tuple[FloatArray, float]:
    from sklearn.linear_model import LogisticRegression

    probe = LogisticRegression(class_weight="balanced", max_iter=_STEPS).fit(x, labels)
    return np.asarray(probe.coef_[0], dtype=np.float64), float(probe.intercept_[0])
