"""A number on the scale from an uninformed result to the best possible one, and what stands for these two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mibench.records.record import MetricValue

LEAST_SPAN = 0.02
"""Between null and oracle, in units of the number: below, noise would be stretched over the whole scale."""


@dataclass(frozen=True)
class Ends:
    """What the two ends of a family's scale are.

    Attributes:
        null: What reaches the floor, in words.
        oracle: What reaches the ceiling, in words.
    """

    null: str
    oracle: str


NULLS_AND_ORACLES: dict[str, Ends] = {
    "explained variance, FVU, MSE": Ends("the mean activation at every token", "the activation itself"),
    "CE and KL recovered": Ends("the ablation that the name says", "the activation itself"),
    "CE increase, KL": Ends("mean ablation", "the activation itself"),
    "dead latents": Ends("no latent is ever active", "every latent is active at least once"),
    "synthetic recovery": Ends("a dictionary of random directions of the same size", "the true features"),
    "sparse probing": Ends("a dictionary with a random decoder that was never trained", "a probe on all of x"),
    "causal disentanglement": Ends("random latents, or none", "a supervised subspace"),
    "autointerp": Ends("a judge that always says the same", "a judge that is always right"),
    "explainability": Ends("activations dealt out to other tokens", "a latent that its token tells in full"),
    "stability": Ends("two dictionaries of random directions of the same size", "the same dictionary twice"),
}
"""By family of metrics. The numbers are in each metric's ``floor`` and ``ceiling``."""


def normalised(value: MetricValue) -> MetricValue:
    """Return ``(value − floor) / (ceiling − floor)``: 0 is the null, 1 the oracle, whichever way is better.

    The interval is mapped likewise, floor and ceiling taken as exact. Null with the reason where the value, or one of
    the ends, is missing, where the oracle is not better than the null, or where less than `LEAST_SPAN` is between them.
    """
    reason, floor, ceiling = _missing(value), value.floor, value.ceiling
    common: dict[str, Any] = {
        "n": value.n,
        "floor": 0.0,
        "ceiling": 1.0,
        "higher_is_better": True,
        "version": value.version,
    }
    if reason is not None or value.value is None or floor is None or ceiling is None:
        return MetricValue(value=None, reason=reason or "there is no value", **common)
    if value.ci_low is None or value.ci_high is None:
        return MetricValue(value=_map(value.value, floor, ceiling), ci_reason=value.ci_reason, **common)
    low, high = sorted((_map(value.ci_low, floor, ceiling), _map(value.ci_high, floor, ceiling)))
    return MetricValue(
        value=_map(value.value, floor, ceiling), ci_low=low, ci_high=high, ci_source=value.ci_source, **common
    )


def _map(number: float, floor: float, ceiling: float) -> float:
    return (number - floor) / (ceiling - floor)


def _missing(value: MetricValue) -> str | None:
    if value.reason is not None:
        return value.reason
    if value.floor is None:
        return "it has no floor"
    if value.ceiling is None:
        return "it has no ceiling"
    span = value.ceiling - value.floor
    if span and value.higher_is_better is not None and (span > 0) != value.higher_is_better:
        return f"its oracle ({value.ceiling:.3g}) is not better than its null ({value.floor:.3g})"
    if abs(span) < LEAST_SPAN:
        return f"its oracle ({value.ceiling:.3g}) and its null ({value.floor:.3g}) are too close to be told apart"
    return None
