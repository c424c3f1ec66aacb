"""Which rows of a column differ: all pairs are judged at once, so that many equal rows do not differ by chance.

With k rows there are k(k − 1)/2 differences, and the best of many equal rows is best by luck. A pair is separated only
where its difference exceeds a bound that, were all rows equal, *no* pair of the column would exceed in 95 % of samples
(family-wise error, which also bounds the rate of false discoveries). For rows on the same examples the bound is a
multiple of the standard error of the pair's difference, the multiple being the 95 % quantile of the largest studentised
difference over all pairs in the paired bootstrap (Westfall & Young 1993, max-T; Romano & Wolf 2005), widened for small
samples as Student's t is. Pairs that share no examples are judged by their own intervals with Bonferroni's correction;
the 5 % are divided between both kinds by the number of pairs.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.replicates import Replicates

LEVEL = 0.95
_Z = 1.959963984540054
"""Standard errors in half of a 95 % interval."""
_TINY = 1e-9
_FIXED = "nothing: it has no interval"
_SEED, _DRAWS = 0, 2000
"""Of draws of numbers that are not resampled with their examples."""


@dataclass(frozen=True)
class Contender:
    """One number of a column.

    Attributes:
        label: Of its row.
        value: The number.
        half: Half of its own 95 % interval; None: it has none.
        replicates: How it varies with its examples; in their place, why that is not known.
    """

    label: str
    value: float
    half: float | None
    replicates: Replicates | str


@dataclass(frozen=True)
class Spread:
    """At which places a contender comes when all numbers are drawn again; equal numbers share the first place of them.

    Attributes:
        first: The best place.
        counts: Draws at that place, the next, and so on.
        own: The place by the numbers as they are.
        by: What its own number was drawn from.
    """

    first: int
    counts: list[int]
    own: int
    by: str


@dataclass(frozen=True)
class Verdict:
    """What is said of two contenders.

    Attributes:
        tied: Whether they are not separable.
        half: The bound that the difference is held against; None: there is none, so they tie.
        how: What the bound rests on.
    """

    tied: bool
    half: float | None
    how: str


class Contest:
    """All pairs of a column's numbers.

    Args:
        contenders: The numbers that are ranked.
    """

    def __init__(self, contenders: Sequence[Contender]) -> None:
        self.contenders = contenders
        known = {i: one.replicates for i, one in enumerate(contenders) if isinstance(one.replicates, Replicates)}
        usable = {i: found for i, found in known.items() if found.unusable is None}
        common = Counter(found.draws for found in usable.values()).most_common(1)
        self._paired = {i: found for i, found in usable.items() if common and found.draws == common[0][0]}
        self._place = {index: place for place, index in enumerate(self._paired)}

    def judge(self, first: int, second: int) -> Verdict:
        """Compare two contenders, given by their places."""
        one, other = self.contenders[first], self.contenders[second]
        difference = one.value - other.value
        if first in self._paired and second in self._paired:
            half = float(self._halves[self._place[first], self._place[second]])
            return Verdict(abs(difference) <= half + _TINY, half, "paired bootstrap over examples, all rows at once")
        why = self._why(first, second)
        errors = [self._own(first), self._own(second)]
        if errors[0] is None or errors[1] is None:
            return Verdict(tied=True, half=None, how=f"no interval ({why})")
        half = self._unpaired_multiple * math.hypot(errors[0], errors[1])
        return Verdict(abs(difference) <= half, half, f"unpaired: {why}")

    @cached_property
    def resolution(self) -> float | None:
        """The smallest difference that tells two rows apart, median over pairs; None: nothing is known of any pair."""
        known = [*self._paired_halves(), *self._unpaired_halves()]
        return median(known) if known else None

    def spreads(self, most: int, *, higher_is_better: bool) -> list[Spread]:
        """Return how the places of the first contenders vary; none where fewer than two are known to vary.

        Those on the same examples are resampled together. Another number is drawn from a normal distribution with its
        own standard error, and one without an interval stays as it is.

        Args:
            most: How many contenders, of those at the front.
            higher_is_better: Which end comes first.
        """
        sign = 1 if higher_is_better else -1
        values, drawn = sign * np.array([one.value for one in self.contenders]), sign * self._drawn
        how = [self._varies(index) for index in range(len(self.contenders))]
        if sum(by != _FIXED for by in how) < 2:
            return []
        found = []
        for index, by in enumerate(how[:most]):
            ahead = (drawn > drawn[:, index, None]).sum(axis=1)
            first, own = int(ahead.min()), int((values > values[index]).sum())
            found.append(Spread(first + 1, np.bincount(ahead - first).tolist(), own + 1, by))
        return found

    @cached_property
    def _drawn(self) -> FloatArray:
        """All numbers drawn again, around what they are, ``[draws, contenders]``."""
        columns = self._columns if self._paired else np.zeros((_DRAWS, 0))
        drawn = np.empty((len(columns), len(self.contenders)))
        for index, one in enumerate(self.contenders):
            if index in self._paired:
                own = columns[:, self._place[index]]
                drawn[:, index] = one.value + own - own.mean()
            else:
                # Seeded by its name, so that it does not depend on who else is there.
                rng = np.random.default_rng([_SEED, zlib.crc32(one.label.encode())])
                drawn[:, index] = one.value + (self._own(index) or 0.0) * rng.standard_normal(len(columns))
        return drawn

    def _varies(self, index: int) -> str:
        if index in self._paired:
            return "the examples, all rows at once"
        return _FIXED if self._own(index) is None else "each row's own interval"

    def _paired_halves(self) -> list[float]:
        """The bounds of all pairs that share examples."""
        if len(self._paired) < 2:
            return []
        found: list[float] = self._halves[np.triu_indices(len(self._paired), 1)].tolist()
        return found

    def _unpaired_halves(self) -> list[float]:
        """The bounds of all other pairs, as far as both have an interval."""
        own = [(i, self._own(i)) for i in range(len(self.contenders))]
        known = [(error, i in self._paired) for i, error in own if error is not None]
        return [
            self._unpaired_multiple * math.hypot(error, other)
            for place, (error, paired) in enumerate(known)
            for other, also in known[place + 1 :]
            if not (paired and also)
        ]

    @property
    def _pairs(self) -> tuple[int, int]:
        """How many pairs are judged by shared examples, and how many are not."""
        paired, n = math.comb(len(self._paired), 2), len(self.contenders)
        return paired, math.comb(n, 2) - paired

    @cached_property
    def _halves(self) -> FloatArray:
        """The bound of each pair of paired contenders, ``[rows, rows]``."""
        paired, others = self._pairs
        tail = (1 - LEVEL) * paired / (paired + others)
        n = next(iter(self._paired.values())).n
        errors, largest = _studentised(self._columns)
        multiple = _widened(float(np.quantile(largest, 1 - tail)), n)
        return multiple * math.sqrt(n / (n - 1)) * errors

    @cached_property
    def _columns(self) -> FloatArray:
        """Replicates of the paired contenders, those in which all have a value, ``[B, paired]``."""
        columns = np.stack([found.replicates for found in self._paired.values()], axis=1)
        return columns[~np.isnan(columns).any(axis=1)]

    @cached_property
    def _unpaired_multiple(self) -> float:
        """Standard errors that a difference of contenders without shared examples has to exceed."""
        paired, others = self._pairs
        tail = (1 - LEVEL) * others / (paired + others)
        return -float(ndtri(tail / others / 2))

    def _own(self, index: int) -> float | None:
        """The standard error of one number by itself."""
        half = self.contenders[index].half
        return None if half is None else half / _Z

    def _why(self, first: int, second: int) -> str:
        for index in (first, second):
            found = self.contenders[index].replicates
            reason = found if isinstance(found, str) else found.unusable
            if reason is not None:
                return reason
        return "measured on other examples"


def _studentised(columns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Standard errors of all differences ``[rows, rows]``, and each replicate's largest studentised one ``[B]``.

    Args:
        columns: Replicates of each row. ``[B, rows]``
    """
    n, rows = columns.shape
    errors, largest = np.zeros((rows, rows)), np.zeros(n)
    centred = np.ascontiguousarray((columns - columns.mean(axis=0)).T)
    # One piece of memory for all differences: making them anew takes longer than the sums.
    space = np.empty_like(centred)
    for first in range(rows - 1):
        differences = np.subtract(centred[first + 1 :], centred[first], out=space[first + 1 :])
        error = np.sqrt(np.einsum("rb,rb->r", differences, differences) / n)
        errors[first, first + 1 :] = errors[first + 1 :, first] = error
        varying = error > _TINY
        if varying.any():
            np.abs(differences, out=differences)
            differences /= np.where(varying, error, np.inf)[:, None]
            np.maximum(largest, differences.max(axis=0), out=largest)
    return errors, largest


def _widened(multiple: float, n: int) -> float:
    """The multiple that Student's t with n − 1 degrees of freedom has in the place of a normal one."""
    return -float(stdtrit(n - 1, ndtr(-multiple)))
