"""A metric of a sample with its bootstrap replicates, so that differences of many rows can be judged at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mibench.core.hashing import digest
from mibench.metrics.bootstrap import MAX_UNUSABLE
from mibench.metrics.faithfulness import BoolArray, FloatArray


@dataclass(frozen=True)
class Replicates:
    """One metric of one row.

    Attributes:
        value: Of the sample.
        replicates: Of every resampling of its examples; NaN: it has no value there. ``[B]``
        n: Examples.
        draws: Names the examples and how they were drawn: replicates vary together where it is the same.
    """

    value: float
    replicates: FloatArray
    n: int
    draws: str

    @classmethod
    def of(cls, value: float, replicates: FloatArray, usable: BoolArray, examples: tuple[object, ...]) -> Replicates:
        """Put together what was measured on ``examples``; ``usable``: which replicates have a value, ``[B]``."""
        kept = np.where(usable & np.isfinite(replicates), replicates, np.nan)
        return cls(value, kept, len(examples), digest([len(kept), *map(str, examples)]))

    @property
    def unusable(self) -> str | None:
        """Why nothing can be said of how it varies; None: something can."""
        missing = int(np.isnan(self.replicates).sum())
        if self.n < 2:
            return f"{self.n} example cannot be resampled"
        if missing > MAX_UNUSABLE * len(self.replicates):
            return f"it has no value in {missing} of {len(self.replicates)} resamples"
        return None
