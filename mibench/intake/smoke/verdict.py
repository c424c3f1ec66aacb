"""What is clearly better on a few rows, and the warnings that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mibench.metrics.bootstrap import Resampling, interval_of, resampled_means
from mibench.metrics.faithfulness import FloatArray

RESAMPLING = Resampling()
MARGIN = 0.1
"""What a variant has to gain in 97.5 % of the resamples before it is told, on a scale of which 1 is everything."""
SHARE = 0.4
"""Of what an artifact, and the floor, lack to the best score, a variant may lack so much."""


@dataclass(frozen=True)
class Measured:
    """A score, higher is better, of the rows and of resamples of them.

    Attributes:
        value: Of the rows.
        replicates: Of the resamples, the same for everything that is compared; NaN where it is undefined. ``[B]``
    """

    value: float
    replicates: FloatArray

    @classmethod
    def of_rows(cls, values: FloatArray) -> Measured:
        """The mean over rows of ``values`` ``[rows]``."""
        return cls(float(values.mean()), resampled_means(values[:, None], RESAMPLING)[:, 0])


@dataclass(frozen=True)
class Variant:
    """An artifact as it would be had a usual mistake not been made.

    Attributes:
        words: What was done to it: "with …".
        do: What to do where it is better.
        measured: Its score.
    """

    words: str
    do: str
    measured: Measured


@dataclass(frozen=True)
class Own:
    """An artifact on its rows.

    Attributes:
        measured: Its score.
        best: The best score that there is.
        floor: The score of what knows nothing.
        floor_words: What the artifact is not, where it is not above that: "better than doing nothing (0.10)".
        measure: What is shown: the score, or what is lacking to the best one where that is 0.
        rows: The rows in words: "10 validation rows of ioi".
        n: Their number.
    """

    measured: Measured
    best: float
    floor: float
    floor_words: str
    measure: str
    rows: str
    n: int

    def shown(self, value: float) -> str:
        """A score as it is told; of distances, which are scores below 0, the distance."""
        return f"{abs(value) if self.best == 0 else value:.2f}"


def clearly_better(one: Measured, other: Measured, n: int) -> bool:
    """Whether ``one`` gains more than the margin over ``other``, resampled on the same draws of ``n`` rows."""
    gained = one.replicates - other.replicates
    low = interval_of(gained, np.isfinite(gained), n, RESAMPLING.level).low
    return low is not None and low > MARGIN


def cause(own: Own, variants: Sequence[Variant]) -> str | None:
    """The warning of the best variant that is far better than the artifact and the floor; None: none is."""
    lacking = min(own.best - own.measured.value, own.best - own.floor)
    better = [
        one
        for one in variants
        if clearly_better(one.measured, own.measured, own.n) and own.best - one.measured.value <= SHARE * lacking
    ]
    if not better:
        return None
    best = max(better, key=lambda one: one.measured.value)
    numbers = f"{own.measure} {own.shown(best.measured.value)} instead of {own.shown(own.measured.value)}"
    return f"looks wrong: on {own.rows} it scores better {best.words} ({numbers}). {best.do}"


def below_floor(own: Own) -> str | None:
    """The warning that an artifact is no better than what knows nothing; None: it is better."""
    if own.measured.value > own.floor:
        return None
    numbers = f"{own.measure} {own.shown(own.measured.value)}"
    do = "Check task, model, layers and order, or that the file is the right one."
    return f"looks wrong: on {own.rows} it is not {own.floor_words} ({numbers}). {do}"
