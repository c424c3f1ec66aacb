"""Scores of faithfulness curves: MIB's CPR, CMD and average, and the strict areas of both rankings.

All take curves `[..., points]` and return values `[...]`. *Signed* curves order edges by score, *absolute*
ones by magnitude; *strict* ones have the weighted real-edge fraction x of the pruned circuit as abscissa.
Floors are what a curve gives that is dead below the full model at MIB's ten sizes; ceilings are what a
perfectly faithful curve gives. Source of MIB's: Mueller et al. 2025, *MIB: A Mechanistic Interpretability
Benchmark*; the strict areas are mibench's, of MIB's faithfulness.
"""

from __future__ import annotations

import numpy as np

from mibench.metrics import areas
from mibench.metrics.faithfulness import FaithfulnessCurve, FloatArray
from mibench.metrics.metric import metric


@metric(
    name="cpr", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="signed", mib_grid=True, floor=0.25, ceiling=0.999,
)  # fmt: skip
def cpr(curve: FaithfulnessCurve) -> FloatArray:
    """Circuit performance ratio: trapezoid of f over the ten nominal fractions, from 0.001 to 1.

    Range: unbounded; 0.999 is perfectly faithful, more is overshoot. Higher is better, as MIB reads it.
    Source: MIB.
    """
    return areas.trapezoid(curve.fractions, curve.faithfulness)


@metric(
    name="cmd", version=1, track="circuit", unit="", higher_is_better=False,
    of="faithfulness", ranking="absolute", mib_grid=True, floor=0.749, ceiling=0.0,
)  # fmt: skip
def cmd(curve: FaithfulnessCurve) -> FloatArray:
    """Circuit-model distance: trapezoid of |1 − f| over the ten nominal fractions, from 0.001 to 1.

    |1 − f| is taken before interpolating, so a crossing of f = 1 between two sizes counts too much
    (`distance_absolute` is exact). Range: [0, inf). Lower is better. Source: MIB.
    """
    return areas.trapezoid(curve.fractions, np.abs(1 - curve.faithfulness))


@metric(
    name="average_signed", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="signed", mib_grid=True, floor=0.1, ceiling=1.0,
)  # fmt: skip
def average_signed(curve: FaithfulnessCurve) -> FloatArray:
    """Plain mean of f at the ten sizes, signed ranking.

    Range: unbounded, 1 is perfectly faithful. Higher is better. Source: MIB.
    """
    return np.asarray(curve.faithfulness.mean(axis=-1))


@metric(
    name="average_absolute", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="absolute", mib_grid=True, floor=0.1, ceiling=1.0,
)  # fmt: skip
def average_absolute(curve: FaithfulnessCurve) -> FloatArray:
    """Plain mean of f at the ten sizes, absolute ranking.

    Range: unbounded, 1 is perfectly faithful. Higher is better. Source: MIB.
    """
    return np.asarray(curve.faithfulness.mean(axis=-1))


def _strict(curve: FaithfulnessCurve) -> tuple[FloatArray, FloatArray]:
    return areas.strict_curve(curve.sizes, curve.faithfulness)


@metric(
    name="area_signed", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="signed", floor=0.25, ceiling=1.0,
)  # fmt: skip
def area_signed(curve: FaithfulnessCurve) -> FloatArray:
    """Strict ∫₀¹ f dx, signed ranking.

    Range: unbounded; 1 is perfectly faithful, more is overshoot. Higher is better. Source: mibench.
    """
    return areas.area(*_strict(curve))


@metric(
    name="area_absolute", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="absolute", floor=0.25, ceiling=1.0,
)  # fmt: skip
def area_absolute(curve: FaithfulnessCurve) -> FloatArray:
    """Strict ∫₀¹ f dx, absolute ranking.

    Range: unbounded; 1 is perfectly faithful, more is overshoot. Higher is better. Source: mibench.
    """
    return areas.area(*_strict(curve))


@metric(
    name="area_bounded_signed", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="signed", floor=0.25, ceiling=1.0,
)  # fmt: skip
def area_bounded_signed(curve: FaithfulnessCurve) -> FloatArray:
    """Strict ∫₀¹ min(max(f, 0), 1) dx, signed ranking.

    Range: [0, 1]. Higher is better; overshoot earns nothing.
    Source: mibench.
    """
    return areas.area_bounded(*_strict(curve))


@metric(
    name="area_bounded_absolute", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="absolute", floor=0.25, ceiling=1.0,
)  # fmt: skip
def area_bounded_absolute(curve: FaithfulnessCurve) -> FloatArray:
    """Strict ∫₀¹ min(max(f, 0), 1) dx, absolute ranking.

    Range: [0, 1]. Higher is better; overshoot earns nothing.
    Source: mibench.
    """
    return areas.area_bounded(*_strict(curve))


@metric(
    name="overshoot_signed", version=1, track="circuit", unit="", higher_is_better=False, diagnostic=True,
    of="faithfulness", ranking="signed", ceiling=0.0,
)  # fmt: skip
def overshoot_signed(curve: FaithfulnessCurve) -> FloatArray:
    """Strict ∫₀¹ max(f − 1, 0) dx, signed ranking.

    Range: [0, inf). Lower is better; a dead curve has none, so read it beside `area_bounded`.
    Source: mibench.
    """
    return areas.overshoot(*_strict(curve))


@metric(
    name="overshoot_absolute", version=1, track="circuit", unit="", higher_is_better=False, diagnostic=True,
    of="faithfulness", ranking="absolute", ceiling=0.0,
)  # fmt: skip
def overshoot_absolute(curve: FaithfulnessCurve) -> FloatArray:
    """Strict ∫₀¹ max(f − 1, 0) dx, absolute ranking.

    Range: [0, inf). Lower is better; a dead curve has none, so read it beside `area_bounded`.
    Source: mibench.
    """
    return areas.overshoot(*_strict(curve))


@metric(
    name="distance_signed", version=1, track="circuit", unit="", higher_is_better=False,
    of="faithfulness", ranking="signed", floor=0.75, ceiling=0.0,
)  # fmt: skip
def distance_signed(curve: FaithfulnessCurve) -> FloatArray:
    """Strict ∫₀¹ |1 − f| dx with exact crossings of f = 1, signed ranking.

    Range: [0, inf). Lower is better. Source: mibench.
    """
    return areas.distance(*_strict(curve))


@metric(
    name="distance_absolute", version=1, track="circuit", unit="", higher_is_better=False,
    of="faithfulness", ranking="absolute", floor=0.75, ceiling=0.0,
)  # fmt: skip
def distance_absolute(curve: FaithfulnessCurve) -> FloatArray:
    """Strict ∫₀¹ |1 − f| dx with exact crossings of f = 1, absolute ranking.

    Range: [0, inf). Lower is better. Source: mibench.
    """
    return areas.distance(*_strict(curve))


@metric(
    name="area_log_signed", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="signed", floor=0.0444, ceiling=1.0,
)  # fmt: skip
def area_log_signed(curve: FaithfulnessCurve) -> FloatArray:
    """Strict mean of f over log₁₀ x in [−3, 0], f linear in x, signed ranking.

    Range: unbounded, 1 is perfectly faithful. Higher is better; every decade of sizes counts alike.
    Source: mibench.
    """
    return areas.area_log(*_strict(curve))


@metric(
    name="area_log_absolute", version=1, track="circuit", unit="", higher_is_better=True,
    of="faithfulness", ranking="absolute", floor=0.0444, ceiling=1.0,
)  # fmt: skip
def area_log_absolute(curve: FaithfulnessCurve) -> FloatArray:
    """Strict mean of f over log₁₀ x in [−3, 0], f linear in x, absolute ranking.

    Range: unbounded, 1 is perfectly faithful. Higher is better; every decade of sizes counts alike.
    Source: mibench.
    """
    return areas.area_log(*_strict(curve))
