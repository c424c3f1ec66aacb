"""The frontier of a family: a metric over the logarithm of L0, as one number with the window that it covers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric

LOW, HIGH = 20.0, 200.0
"""L0 between which families are compared."""
FEWEST = 3
"""Sparsities below which a family has no frontier."""
OCTAVE = 2.0


@dataclass(frozen=True)
class Window:
    """A range of L0.

    Attributes:
        low: Lower end, above 0.
        high: Upper end.
    """

    low: float = LOW
    high: float = HIGH

    @property
    def octaves(self) -> float:
        """How often L0 doubles in it; 0 or less: it is empty."""
        return math.log2(self.high / self.low)

    @property
    def wide(self) -> bool:
        """Whether it is an octave or more."""
        return self.high >= OCTAVE * self.low

    def overlap(self, other: Window) -> Window:
        """What both cover; empty where ``low`` is above ``high``."""
        return Window(max(self.low, other.low), min(self.high, other.high))

    def __str__(self) -> str:
        return f"[{self.low:.3g}, {self.high:.3g}]"


FULL = Window()


@dataclass(frozen=True)
class Area:
    """A frontier area, or why there is none.

    Attributes:
        value: Mean height of the frontier over the logarithm of L0 in the window, in units of the metric.
        window: Part of the asked range that the family covers; None where it covers none.
        sparsities: Different L0 that it rests on.
        reason: Why there is no value; given exactly when there is none.
    """

    value: float | None
    window: Window | None
    sparsities: int
    reason: str | None = None


@metric(name="frontier_area", version=1, track="sae", unit="", higher_is_better=None)
def frontier_area(l0: FloatArray, values: FloatArray, *, low: float = LOW, high: float = HIGH) -> Area:
    """Mean of a metric over ln L0 where a family of dictionaries covers [low, high].

    ``∫ m d(ln L0) / (ln b − ln a)`` over [a, b], the overlap of [low, high] with the range of the family's L0; m is
    piecewise linear in ln L0 between dictionaries, and never extended beyond them. Dictionaries of one L0 are averaged.
    Null below three different L0, and where the overlap is under one octave: what is left is a point, not a frontier.
    Areas over different windows are not comparable, since most metrics rise with L0: compare with `areas_in`.

    Range: that of the metric, and which way is better too. Source: mibench; the range [20, 200] after Karvonen et al.
    2025 (arXiv 2503.09532), who advise sweeps of L0 in place of single dictionaries.

    Args:
        l0: Mean number of active latents of each dictionary, above 0. `[n]`
        values: Its value of the metric. `[n]`
        low: Lower end of the range.
        high: Upper end.

    Raises:
        DataError: Lengths differ, a number is not finite, or an L0 or end of the range is not above 0.
    """
    points, heights = _points(np.asarray(l0, dtype=np.float64), np.asarray(values, dtype=np.float64))
    if not 0 < low < high < math.inf:
        raise _unusable(f"the range is {low} to {high}")
    if not len(points):
        return Area(None, None, 0, "no dictionary of the family has both a value and an L0")
    covered = Window(low, high).overlap(Window(float(points[0]), float(points[-1])))
    window = covered if covered.low <= covered.high else None
    reason = _refusal(len(points), covered, Window(low, high))
    if reason is not None:
        return Area(None, window, len(points), reason)
    return Area(_mean_height(points, heights, covered), covered, len(points))


def areas_in(curves: Sequence[tuple[FloatArray, FloatArray]], window: Window) -> list[float]:
    """Return areas of several frontiers over one window that all of them cover.

    Args:
        curves: L0 and values of each, as for `frontier_area`.
        window: A range within each one's L0.

    Raises:
        DataError: A frontier does not reach the ends of the window, or a number is not usable.
    """
    found = []
    for l0, values in curves:
        area = frontier_area(l0, values, low=window.low, high=window.high)
        if area.value is None or area.window is None or not _same(area.window, window):
            raise _unusable(area.reason or f"a frontier covers {area.window} of {window}")
        found.append(area.value)
    return found


def common_window(windows: Sequence[Window]) -> tuple[Window, list[bool]] | None:
    """Return the window that as many as possible cover for an octave or more, and who covers it.

    Of several such choices the widest window, then the lowest, is taken. None where no window is that wide.
    """
    best: tuple[Window, list[bool]] | None = None
    for start in sorted({one.low for one in windows}):
        members = [one.low <= start and one.high >= OCTAVE * start for one in windows]
        if not any(members):
            continue
        ends = min(one.high for one, member in zip(windows, members, strict=True) if member)
        found = Window(start, ends), members
        if best is None or (sum(members), found[0].octaves) > (sum(best[1]), best[0].octaves):
            best = found
    return best


def _points(l0: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The different L0, ascending, and the mean value at each."""
    if l0.shape != values.shape or l0.ndim != 1:
        raise _unusable(f"{l0.shape} numbers of latents go with {values.shape} values")
    if not (np.isfinite(l0).all() and np.isfinite(values).all() and (l0 > 0).all()):
        raise _unusable("an L0 is not above 0, or a number is not finite")
    # Sorted by value too, so that sums do not depend on the order of dictionaries.
    order = np.lexsort((values, l0))
    different, place, counts = np.unique(l0[order], return_inverse=True, return_counts=True)
    return different, np.bincount(place, weights=values[order], minlength=len(different)) / counts


def _refusal(sparsities: int, covered: Window, asked: Window) -> str | None:
    if sparsities < FEWEST:
        return f"{sparsities} {'sparsity' if sparsities == 1 else 'sparsities'}, a frontier needs {FEWEST}"
    if covered.low > covered.high:
        return f"no dictionary is near L0 {asked}"
    if not covered.wide:
        return f"it covers {covered} of L0 {asked}, {covered.octaves:.2f} octaves, a frontier needs one"
    return None


def _mean_height(points: FloatArray, heights: FloatArray, window: Window) -> float:
    inside = (points > window.low) & (points < window.high)
    start, stop = math.log(window.low), math.log(window.high)
    ends = np.interp([start, stop], np.log(points), heights)
    grid = np.concatenate([[start], np.log(points[inside]), [stop]])
    curve = np.concatenate([ends[:1], heights[inside], ends[1:]])
    return float(np.sum(np.diff(grid) * (curve[1:] + curve[:-1]) / 2) / (stop - start))


def _same(first: Window, second: Window) -> bool:
    return math.isclose(first.low, second.low, rel_tol=1e-9) and math.isclose(first.high, second.high, rel_tol=1e-9)


def _unusable(why: str) -> DataError:
    return DataError("There is no frontier in these numbers.", why=f"{why[:1].upper()}{why[1:]}.", do="Check them.")
