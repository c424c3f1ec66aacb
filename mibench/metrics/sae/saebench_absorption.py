"""SAEBench's absorption under its own names, from its formulas: the convention ``saebench``.

Names without a suffix are version 0.6, those with ``_0_3`` version 0.3, which published numbers rest on. The two are
not comparable: fractions differ up to ten times. The formulas and their gates are imitated, projections on the probe's
direction as they are; of 0.6 also that letters are left out whose probe has F1 of .6 or less, and that 20 must remain.
Not imitated: prompts, words and their number (this task's; SAEBench reads six tokens from the end, which is the word
with some tokenizers only), probes trained by gradient steps, an L1 probe that ranks latents on their own scale, and a
number of main latents that is chosen on the words that are scored. Its words are prompted anew for the score; here they
are not. Source of all: Chanin et al. 2024 (arXiv 2409.14507), Karvonen et al. 2025 (arXiv 2503.09532), and its
evaluation code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.metric import Metric, metric
from mibench.metrics.sae.absorption import ConceptCase, Thresholds, fraction_of, largest_sum
from mibench.metrics.sae.absorption_groups import WordValues, grouped_value
from mibench.metrics.sae.absorption_scores import missing
from mibench.metrics.sae.terms import Terms, metric_value
from mibench.records.record import MetricValue

LEAST_LETTERS = 20
ACTIVE = 1e-8
"""Absolute value from which a main latent is active."""
FULL_COSINE = 0.025
"""Cosine that the latent with the largest projection has to have."""


@dataclass(frozen=True, eq=False)
class SaebenchWords:
    """What became of the words of one letter. All ``[words]``.

    Attributes:
        projection: Of the activation on the probe's direction.
        main: Sum of the projections of the main latents.
        carried: Sum of the largest three of other latents with cosine .1 or more, and positive projection.
        positive: Sum of all positive projections.
        full: Whether the letter is absorbed in full.
        fraction: Absorption fraction of version 0.6.
        fraction_0_3: Of version 0.3.
    """

    projection: FloatArray
    main: FloatArray
    carried: FloatArray
    positive: FloatArray
    full: BoolArray
    fraction: FloatArray
    fraction_0_3: FloatArray


def saebench_words(case: ConceptCase, limits: Thresholds) -> SaebenchWords:
    """Compute both versions from the latents' projections ``P_j = f_j (w_j·p̂)``.

    0.6, full: no main latent is active, the latent of the largest P has cosine .025 or more, and its P is 40 % of x·p̂
    or more. 0.6, fraction: `fraction_of` with m = Σ P of main latents, a = the largest three P of others, need = x·p̂.
    0.3, fraction: (Σ of all P > 0 − m) / Σ of all P > 0, between 0 and 1.
    """
    parts = case.latents * case.cosines
    main = parts[:, case.main].sum(axis=1)
    others = (case.cosines >= limits.cosine) & (parts > 0)
    others[:, case.main] = False
    carried = largest_sum(np.where(others, parts, 0.0), limits.absorbers)
    positive = np.where(parts > 0, parts, 0.0).sum(axis=1)
    return SaebenchWords(
        projection=case.projection,
        main=main,
        carried=carried,
        positive=positive,
        full=_full(case, parts, limits.share),
        fraction=fraction_of(main, carried, case.projection, limits.share),
        fraction_0_3=np.clip(
            np.divide(positive - main, positive, out=np.zeros_like(positive), where=positive > 0), 0.0, 1.0
        ),
    )


def _full(case: ConceptCase, parts: FloatArray, share: float) -> BoolArray:
    silent = (np.abs(case.latents[:, case.main]) < ACTIVE).all(axis=1)
    best = parts.argmax(axis=1)
    written, cosine = parts[np.arange(len(parts)), best], case.cosines[best]
    found: BoolArray = silent & (cosine >= FULL_COSINE) & (case.projection > 0) & (written >= share * case.projection)
    return found


@metric(name="mean_absorption_fraction_score", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def fraction_score(words: Sequence[SaebenchWords]) -> WordValues:
    """Mean absorption fraction of version 0.6 over words of a letter, then over letters.

    Range: [0, 1]. Lower is better. Source: SAEBench 0.6 (see the module for what is not imitated).
    """
    return WordValues(tuple(one.fraction for one in words))


@metric(name="mean_full_absorption_score", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def full_score(words: Sequence[SaebenchWords]) -> WordValues:
    """Share of words absorbed in full by one latent, as 0.6 defines it, mean over letters.

    Range: [0, 1]. Lower is better. Source: SAEBench 0.6.
    """
    return WordValues(tuple(one.full.astype(np.float64) for one in words))


@metric(name="mean_absorption_fraction_score_0_3", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def fraction_score_0_3(words: Sequence[SaebenchWords]) -> WordValues:
    """Mean absorption fraction of version 0.3, of all letters, however weak their probes.

    Range: [0, 1]. Lower is better; far above version 0.6, with which it is not to be compared. Source: SAEBench 0.3.
    """
    return WordValues(tuple(one.fraction_0_3 for one in words))


@metric(name="mean_num_split_features", version=1, track="sae", unit="latents", higher_is_better=None)
def split_features(counts: FloatArray) -> Terms:
    """Main latents of a letter, mean over letters: into how many its latent has split.

    Range: [0, 10]. Neither end is better. Source: SAEBench 0.6.

    Args:
        counts: ``[letters]``
    """
    return Terms(counts, "letters")


@metric(name="std_dev_absorption_fraction_score", version=1, track="sae", unit="", higher_is_better=None)
def fraction_deviation(by_letter: FloatArray) -> float:
    """Standard deviation over letters, with n − 1, of their mean absorption fraction of version 0.6.

    Range: [0, 1]. Neither end is better. Source: SAEBench 0.6.

    Args:
        by_letter: ``[letters]``, two at least.
    """
    return float(np.std(by_letter, ddof=1))


@metric(name="std_dev_full_absorption_score", version=1, track="sae", unit="", higher_is_better=None)
def full_deviation(by_letter: FloatArray) -> float:
    """The same of the share of words that are absorbed in full.

    Range: [0, 1]. Neither end is better. Source: SAEBench 0.6.

    Args:
        by_letter: ``[letters]``
    """
    return float(np.std(by_letter, ddof=1))


@metric(name="std_dev_num_split_features", version=1, track="sae", unit="latents", higher_is_better=None)
def split_deviation(by_letter: FloatArray) -> float:
    """The same of the number of main latents.

    Range: 0 or above. Neither end is better. Source: SAEBench 0.6.

    Args:
        by_letter: ``[letters]``
    """
    return float(np.std(by_letter, ddof=1))


@dataclass(frozen=True, eq=False)
class Letter:
    """A letter with words that its probe gets right.

    Attributes:
        name: The letter.
        words: What became of them.
        splits: Number of main latents.
        told: Whether its probe's F1 is above .6.
    """

    name: str
    words: SaebenchWords
    splits: int
    told: bool


def letter_table(letters: Sequence[Letter]) -> pd.DataFrame:
    """One row a letter, with the names of SAEBench's details, and whether version 0.6 scores it (``told``)."""
    return pd.DataFrame(
        {
            "first_letter": [one.name for one in letters],
            "mean_absorption_fraction": [float(one.words.fraction.mean()) for one in letters],
            "full_absorption_rate": [float(one.words.full.mean()) for one in letters],
            "num_full_absorption": [int(one.words.full.sum()) for one in letters],
            "num_probe_true_positives": [len(one.words.full) for one in letters],
            "num_split_features": [one.splits for one in letters],
            "mean_absorption_fraction_0_3": [float(one.words.fraction_0_3.mean()) for one in letters],
            "told": [one.told for one in letters],
        }
    )


def saebench_metrics(letters: Sequence[Letter], resampling: Resampling) -> dict[str, MetricValue]:
    """Return SAEBench's metrics of absorption, those of version 0.6 null where fewer than 20 letters are scored."""
    told = [one for one in letters if one.told]
    reason = f"{len(told)} letters have a probe with F1 above .6, and SAEBench wants {LEAST_LETTERS}"
    found = _version_0_6(told, resampling) if len(told) >= LEAST_LETTERS else _none(reason)
    words = [one.words for one in letters]
    old = fraction_score_0_3
    found[old.name] = (
        grouped_value(old, old(words), resampling) if words else missing(old, "no probe gets a word right")
    )
    return found


_OF_WORDS: tuple[Metric[[Sequence[SaebenchWords]], WordValues], ...] = (fraction_score, full_score)
_OF_LETTERS: Mapping[str, Metric[[FloatArray], float]] = {
    "mean_absorption_fraction": fraction_deviation,
    "full_absorption_rate": full_deviation,
    "num_split_features": split_deviation,
}


def _version_0_6(told: Sequence[Letter], resampling: Resampling) -> dict[str, MetricValue]:
    words = [one.words for one in told]
    found = {one.name: grouped_value(one, one(words), resampling) for one in _OF_WORDS}
    table = letter_table(told)
    counts = split_features(table["num_split_features"].to_numpy(dtype=np.float64))
    found[split_features.name] = metric_value(split_features, counts, resampling)
    for column, declared in _OF_LETTERS.items():
        value = declared(table[column].to_numpy(dtype=np.float64))
        found[declared.name] = MetricValue(
            value=value, ci_reason="it is itself a spread over letters", n=len(told), unit=declared.unit
        )
    return found


def _none(reason: str) -> dict[str, MetricValue]:
    declared: tuple[Metric[..., Any], ...] = (*_OF_WORDS, split_features, *_OF_LETTERS.values())
    return {one.name: missing(one, reason) for one in declared}
