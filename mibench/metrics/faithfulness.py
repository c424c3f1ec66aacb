"""Faithfulness of circuits: how much of the model's behaviour a circuit keeps.

``f(C) = (m(C) − m(empty)) / (m(full) − m(empty))``, where m is the mean over examples of the task's metric: a
ratio of means, not a mean of ratios (Mueller et al. 2025, *MIB: A Mechanistic Interpretability Benchmark*).
Unbounded; the empty circuit is 0 and the full model 1 by definition.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

TINY = 1e-6
"""A denominator below this share of the scale of its terms is rounding noise of float32 runs."""


@dataclass(frozen=True)
class FaithfulnessCurve:
    """Faithfulness of circuits of growing size.

    Attributes:
        fractions: Requested shares of the scored items, ascending. `[points]`
        sizes: Weighted real edges of each pruned circuit over the edges of the graph. `[points]`
        faithfulness: One curve, or one for each bootstrap replicate. `[..., points]`
    """

    fractions: FloatArray
    sizes: FloatArray
    faithfulness: FloatArray


@dataclass(frozen=True)
class Denominator:
    """m(full) − m(empty) of the sample, and when it is too small to divide by.

    Attributes:
        value: The difference of the means.
        threshold: Magnitude at or below which a difference counts as zero.
    """

    value: float
    threshold: float

    @property
    def problem(self) -> str | None:
        """Why faithfulness is undefined, or None."""
        if abs(self.value) > self.threshold:
            return None
        return (
            f"m(full) − m(empty) = {self.value:.3g} is not distinguishable from 0: "
            "the full model does no better than the empty circuit, so faithfulness is undefined."
        )

    def usable(self, replicates: FloatArray) -> BoolArray:
        """Whether each replicate's denominator has the sample's sign and is not tiny. `[B] -> [B]`."""
        return np.asarray(replicates * np.sign(self.value) > self.threshold)


def denominator(full: FloatArray, empty: FloatArray) -> Denominator:
    """Return the denominator for per-example values of the full model and the empty circuit, `[n]` each.

    The threshold is `TINY` times the largest of the mean magnitudes and of the per-example spread.
    """
    difference = full - empty
    scale = max(np.abs(full).mean(), np.abs(empty).mean(), difference.std())
    return Denominator(float(difference.mean()), TINY * float(scale))


def faithfulness(circuit: FloatArray, full: FloatArray, empty: FloatArray) -> FloatArray:
    """Return faithfulness from means; a zero denominator gives nan or inf, to be masked by the caller.

    Args:
        circuit: Means of the circuits. `[..., points]`
        full: Means of the full model. `[...]`
        empty: Means of the empty circuit. `[...]`

    Returns:
        Faithfulness. Range (−inf, inf), 1 is perfect. `[..., points]`
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray((circuit - empty[..., None]) / (full - empty)[..., None])
