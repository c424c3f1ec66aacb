"""From words held against a dictionary to the metrics and tables of absorption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric, metric
from mibench.metrics.sae import absorption as own
from mibench.metrics.sae.absorption import AbsorbedWords
from mibench.metrics.sae.absorption_groups import WordValues, grouped_value
from mibench.metrics.sae.absorption_main import MainLatents
from mibench.metrics.sae.terms import Terms, metric_value
from mibench.records.record import MetricValue

HIERARCHY = "hierarchy_"


@metric(name="absorption_splits", version=1, track="sae", unit="latents", higher_is_better=None)
def absorption_splits(counts: FloatArray, concepts: str = "letters") -> Terms:
    """Main latents of a letter, mean over letters: into how many its latent has split.

    They are added while F1 on validation rises by more than .03 (`mibench.metrics.sae.absorption_main`).

    Range: [0, 10]. Neither end is better. Source: Chanin et al. 2024 (arXiv 2409.14507).
    """
    return Terms(counts, concepts)


@metric(name="absorption_main_f1", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def absorption_main_f1(values: FloatArray, concepts: str = "letters") -> Terms:
    """F1 of a probe on a letter's main latents, on the scored words, mean over letters.

    Whether the dictionary has latents for letters at all; without, there is nothing to be absorbed. Floor: the same
    with a frozen decoder, as for ``absorption_null``.

    Range: [0, 1]. Higher is better. Source: after Chanin et al. 2024 (arXiv 2409.14507).
    """
    return Terms(values, concepts)


@metric(name="absorption_probe_f1", version=1, track="sae", unit="", higher_is_better=None)
def absorption_probe_f1(values: FloatArray, concepts: str = "letters") -> Terms:
    """F1 of the probes on the activations, on the scored words, mean over the letters that are scored.

    Range: [0, 1]. A property of the model, the same for every dictionary, so neither end is better. Source: as
    `absorption_main_f1`.
    """
    return Terms(values, concepts)


OF_WORDS = (own.absorption, own.absorption_fraction, own.absorption_misses)
OF_NULL = (own.absorption_null, own.absorption_fraction_null)
OF_CONCEPTS: Mapping[str, Metric[..., Terms]] = {
    "splits": absorption_splits,
    "main_f1": absorption_main_f1,
    "probe_f1": absorption_probe_f1,
}
"""By what each is the mean of, over concepts."""


@dataclass(frozen=True, eq=False)
class ScoredConcept:
    """A concept that is scored, with a dictionary's part in it.

    Attributes:
        words: What became of its words.
        main: The dictionary's main latents.
        probe_f1: F1 of the probe on the scored rows.
    """

    words: AbsorbedWords
    main: MainLatents
    probe_f1: float

    @property
    def splits(self) -> int:
        """Number of main latents."""
        return len(self.main.latents)

    @property
    def main_f1(self) -> float:
        """F1 of the probe on main latents, on the scored rows."""
        return self.main.scored_f1


@dataclass(frozen=True)
class Naming:
    """What metrics are called, and their units of resampling.

    Attributes:
        prefix: Before each name.
        concepts: What concepts are.
        resampling: Of the bootstrap.
    """

    prefix: str
    concepts: str
    resampling: Resampling


def absorption_metrics(
    told: Sequence[ScoredConcept], null: Sequence[ScoredConcept] | str, naming: Naming
) -> dict[str, MetricValue]:
    """Return the metrics of absorption.

    Args:
        told: Concepts that are scored; at least one.
        null: The same of a dictionary with a frozen decoder; or why there is none.
        naming: Names and resampling.
    """
    found = {one.name: _of_words(one, told, naming) for one in OF_WORDS}
    found |= {one.name: _of_concepts(one, column, told, naming) for column, one in OF_CONCEPTS.items()}
    if isinstance(null, str):
        found |= {one.name: missing(one, null) for one in OF_NULL}
    else:
        found |= {one.name: _of_words(one, null, naming) for one in OF_NULL}
        misses = _of_words(own.absorption_misses, null, naming)
        main_f1 = _of_concepts(absorption_main_f1, "main_f1", null, naming)
        for name, floor in ((own.absorption_misses.name, misses), (absorption_main_f1.name, main_f1)):
            found[name] = found[name].model_copy(update={"floor": floor.value})
    return {f"{naming.prefix}{name}": value for name, value in found.items()}


def no_metrics(reason: str, prefix: str = "") -> dict[str, MetricValue]:
    """Return the same metrics without numbers."""
    declared: tuple[Metric[..., Any], ...] = (*OF_WORDS, *OF_NULL, *OF_CONCEPTS.values())
    return {f"{prefix}{one.name}": missing(one, reason) for one in declared}


def missing(declared: Metric[..., Any], reason: str) -> MetricValue:
    """Return a metric without a number."""
    return MetricValue(
        value=None,
        reason=reason,
        floor=declared.floor,
        ceiling=declared.ceiling,
        unit=declared.unit,
        higher_is_better=declared.higher_is_better,
        version=declared.version,
    )


def word_table(words: Mapping[str, Sequence[str]], found: Mapping[str, AbsorbedWords]) -> pd.DataFrame:
    """One row for each prompt that the probe gets right: the fields of `AbsorbedWords`, ``need`` and the rest by name.

    Args:
        words: Word of each prompt, by concept.
        found: What became of them, by concept.
    """
    names = [name for name in AbsorbedWords.__dataclass_fields__ if name != "words"]
    parts = [
        pd.DataFrame({"concept": concept, "word": words[concept]} | {name: getattr(one, name) for name in names})
        for concept, one in found.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _of_words(declared: Metric[..., WordValues], told: Sequence[ScoredConcept], naming: Naming) -> MetricValue:
    return grouped_value(declared, declared([one.words for one in told], naming.concepts), naming.resampling)


def _of_concepts(
    declared: Metric[..., Terms], column: str, told: Sequence[ScoredConcept], naming: Naming
) -> MetricValue:
    values = np.array([getattr(one, column) for one in told], dtype=np.float64)
    return metric_value(declared, declared(values, naming.concepts), naming.resampling)
