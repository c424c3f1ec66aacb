"""How well a dictionary's decoder finds directions that are known: metrics of synthetic data on a planted model."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.metric import Metric
from mibench.metrics.sae.matching import cosines, match
from mibench.metrics.sae.recovery import mcc_decoder, mmcs, recovery_at_90
from mibench.metrics.sae.terms import Terms, metric_value
from mibench.records.record import MetricValue


def direction_metrics(
    decoder: ArrayLike, directions: ArrayLike, *, either_sign: bool = False, resampling: Resampling | None = None
) -> dict[str, MetricValue]:
    """Return ``mmcs``, ``mcc_decoder`` and ``recovery_at_90`` of known directions; intervals over directions.

    Args:
        decoder: Rows of the decoder. ``[latents, width]``
        directions: Known directions, of any length. ``[features, width]``
        either_sign: Whether codes may be negative, so that the sign of a row means nothing.
        resampling: How intervals are made.
    """
    similarity = cosines(decoder, directions, either_sign=either_sign)
    matching = match(similarity)
    found: list[tuple[Metric[..., Any], Terms]] = [
        (mmcs, mmcs(similarity)),
        (mcc_decoder, mcc_decoder(matching)),
        (recovery_at_90, recovery_at_90(matching)),
    ]
    return {one.name: metric_value(one, terms, resampling or Resampling()) for one, terms in found}
