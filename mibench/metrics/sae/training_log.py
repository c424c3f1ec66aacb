"""How far measured numbers are from those of a dictionary's training log, where it has one."""

from __future__ import annotations

from collections.abc import Mapping

from mibench.metrics.metric import metric
from mibench.records.record import MetricValue

TOLERANCE = 1.25
"""Factor within which sparsity on other text of the same kind stays; beyond, the place or the scaling may be wrong."""


@metric(name="l0_to_log", version=1, track="sae", unit="", higher_is_better=None)
def l0_to_log(measured: float, logged: float) -> float:
    """Measured L0 over that of the training log.

    Range: [0, ∞); 1 where both agree. Far from 1, the dictionary reads another place, scaling or text than it was
    trained on, and none of its numbers means what it should. Neither end is better. Source: mibench.
    """
    return measured / logged


@metric(name="fvu_minus_log", version=1, track="sae", unit="", higher_is_better=None)
def fvu_minus_log(measured: float, logged: float) -> float:
    """Measured fraction of variance unexplained minus that of the training log.

    Range: (−∞, ∞); 0 where both agree. Neither end is better. Source: mibench.
    """
    return measured - logged


def training_log(metrics: Mapping[str, MetricValue], l0: float | None, fvu: float | None) -> dict[str, MetricValue]:
    """Return both numbers where there is a log and the task measures what it says."""
    found: dict[str, MetricValue] = {}
    own = {name: metrics[name].value for name in ("l0", "fvu") if name in metrics}
    if l0 and own.get("l0") is not None:
        found[l0_to_log.name] = _value(l0_to_log(own["l0"] or 0.0, l0))
    if fvu is not None and own.get("fvu") is not None:
        found[fvu_minus_log.name] = _value(fvu_minus_log(own["fvu"] or 0.0, fvu))
    return found


def _value(value: float) -> MetricValue:
    return MetricValue(value=value, ci_reason="a check against the training log, not an estimate")
