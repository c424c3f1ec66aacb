"""Bootstrap over examples: one joint resampling for all columns of a table of per-example values.

Every replicate draws n examples with replacement and averages all columns over the same draw, so that the
full model, the empty circuit and every circuit of a curve, or of two methods, vary together. Intervals are
percentile intervals: the central `level` share of the replicates. They show sampling error only. A convex
score (a distance, an overshoot) near its optimum has replicates above its estimate, so that its interval may
lie above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mibench.metrics.faithfulness import BoolArray, FloatArray

MAX_UNUSABLE = 0.01
"""Share of replicates without a usable denominator that may be left out; with more there is no interval."""

_DRAWS_PER_CHUNK = 2_000_000
_KEPT = 8
"""Draws that are kept, of at most one chunk each: many rows are resampled on the same examples."""


@dataclass(frozen=True)
class Resampling:
    """How to resample.

    Attributes:
        seed: Seed of the PCG64 generator; the same seed and number of examples give the same draws.
        resamples: Number of replicates.
        level: Coverage that the intervals aim at.
    """

    seed: int = 0
    resamples: int = 2000
    level: float = 0.95


@dataclass(frozen=True)
class Interval:
    """A confidence interval, or the reason why there is none."""

    low: float | None = None
    high: float | None = None
    reason: str | None = None


def resampled_means(values: FloatArray, resampling: Resampling) -> FloatArray:
    """Return the mean of each column in each replicate. `[n, columns] -> [resamples, columns]`."""
    replicates = np.empty((resampling.resamples, values.shape[1]))
    start = 0
    for counts in _counts(len(values), resampling):
        # einsum, not BLAS: one order of summing whatever the number of threads, so records repeat exactly.
        replicates[start : start + len(counts)] = np.einsum("bn,nk->bk", counts, values) / len(values)
        start += len(counts)
    return replicates


def _counts(n: int, resampling: Resampling) -> Iterable[FloatArray]:
    """How often each example is drawn, `[replicates, n]`, in chunks of bounded memory."""
    small = n * resampling.resamples <= _DRAWS_PER_CHUNK
    return _kept_counts(n, resampling.seed, resampling.resamples) if small else _drawn(n, resampling)


@lru_cache(maxsize=_KEPT)
def _kept_counts(n: int, seed: int, resamples: int) -> tuple[FloatArray, ...]:
    chunks = tuple(_drawn(n, Resampling(seed, resamples)))
    for chunk in chunks:
        chunk.flags.writeable = False
    return chunks


def _drawn(n: int, resampling: Resampling) -> Iterator[FloatArray]:
    generator = np.random.Generator(np.random.PCG64(resampling.seed))
    rows = max(1, _DRAWS_PER_CHUNK // n)
    for start in range(0, resampling.resamples, rows):
        size = min(rows, resampling.resamples - start)
        draws = generator.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(draws.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def too_few(n: int) -> Interval | None:
    """Return an empty interval with its reason where `n` examples cannot be resampled, else None."""
    return Interval(reason=f"{n} example cannot be resampled") if n < 2 else None


def percentile_interval(replicates: FloatArray, usable: BoolArray, level: float) -> Interval:
    """Return the percentile interval of `replicates` `[B]`, of which `usable` `[B]` have a denominator."""
    kept = replicates[usable & np.isfinite(replicates)]
    unusable = len(replicates) - len(kept)
    if unusable > MAX_UNUSABLE * len(replicates):
        return Interval(
            reason=f"what it is divided by vanishes or changes sign in {unusable} of {len(replicates)} resamples"
        )
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def interval_of(replicates: FloatArray, usable: BoolArray, n: int, level: float) -> Interval:
    """Return the percentile interval of a value that rests on `n` examples, or why there is none."""
    return too_few(n) or percentile_interval(replicates, usable, level)
