"""Means over words within concepts, then over concepts, with a bootstrap that draws concepts, then words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.metrics.bootstrap import Interval, Resampling, percentile_interval, resampled_means
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric
from mibench.records.record import MetricValue


@dataclass(frozen=True, eq=False)
class WordValues:
    """A number for each word.

    Attributes:
        by_concept: Values of each concept's words ``[words]``, one word at least.
        concepts: What concepts are called: letters, kinds.
        missing: Why there is no number; None: there is one.
    """

    by_concept: tuple[FloatArray, ...]
    concepts: str = "letters"
    missing: str | None = None

    @property
    def value(self) -> float:
        """Mean over concepts of the mean over their words."""
        return float(np.mean([values.mean() for values in self.by_concept]))


def by_word(values: NDArray[Any], words: NDArray[np.int64]) -> FloatArray:
    """Mean over the prompts of each word. ``[prompts], [prompts] -> [different words]``."""
    _, place = np.unique(words, return_inverse=True)
    return np.asarray(np.bincount(place, weights=values.astype(np.float64)) / np.bincount(place))


def replicates(values: WordValues, resampling: Resampling) -> FloatArray:
    """The mean in each replicate, which draws concepts, then words of each, with replacement. ``[resamples]``.

    Words of a concept are drawn ``resamples`` times beforehand, and a replicate takes one of these draws at random for
    each time that it draws the concept.
    """
    generator = np.random.Generator(np.random.PCG64(resampling.seed))
    seeds = generator.integers(2**63, size=len(values.by_concept))
    by_words = [
        resampled_means(own[:, None], Resampling(int(seed), resampling.resamples))[:, 0]
        for own, seed in zip(values.by_concept, seeds, strict=True)
    ]
    shape = resampling.resamples, len(by_words)
    drawn, which = generator.integers(len(by_words), size=shape), generator.integers(resampling.resamples, size=shape)
    found: FloatArray = np.stack(by_words, axis=1)[which, drawn].mean(axis=1)
    return found


def grouped_value(declared: Metric[..., Any], values: WordValues, resampling: Resampling) -> MetricValue:
    """Return the number of a metric with its interval."""
    common = {
        "floor": declared.floor,
        "ceiling": declared.ceiling,
        "unit": declared.unit,
        "higher_is_better": declared.higher_is_better,
        "version": declared.version,
    }
    if values.missing is not None:
        return MetricValue.model_validate({"value": None, "reason": values.missing, **common})
    found = _interval(values, resampling)
    interval = {
        "ci_low": found.low,
        "ci_high": found.high,
        "ci_source": None if found.low is None else values.concepts,
        "ci_reason": found.reason,
    }
    return MetricValue.model_validate({"value": values.value, "n": len(values.by_concept), **interval, **common})


def _interval(values: WordValues, resampling: Resampling) -> Interval:
    if len(values.by_concept) < 2:
        return Interval(reason=f"{len(values.by_concept)} of the {values.concepts} cannot be resampled")
    drawn = replicates(values, resampling)
    return percentile_interval(drawn, np.ones(len(drawn), dtype=np.bool_), resampling.level)
