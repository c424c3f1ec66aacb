"""Concepts that the model tells at a place: their probes, and the words that these get right."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
import scipy.sparse as sp

from mibench.engine.dictionaries.coder import Coder
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.sae.absorption import ConceptCase
from mibench.metrics.sae.absorption_main import Ints, MainLatents, MainRule, choose_main, other_means
from mibench.metrics.sae.absorption_probes import ConceptProbes, Told, f1, tuned_concepts
from mibench.tasks.absorption.settings import AbsorptionRule
from mibench.tracks.sae.absorption_words import WordActivations, WordRows


class Concepts:
    """Probes of concepts on the activations that dictionaries reconstruct, made when they are first needed.

    Args:
        rows: Prompts.
        activations: Of these.
        rule: How probes and main latents are made.
    """

    def __init__(self, rows: WordRows, activations: WordActivations, rule: AbsorptionRule) -> None:
        self._rows, self._activations, self._rule = rows, activations, rule

    @cached_property
    def probes(self) -> ConceptProbes:
        """One for each concept, fitted on train."""
        train, validation = (
            Told(self._targets[rows], self._rows.labels[rows])
            for rows in (self._rows.uses.train, self._rows.uses.validation)
        )
        return tuned_concepts(train, validation, self._rule.strengths)

    @cached_property
    def validation_f1(self) -> FloatArray:
        """F1 of each concept's probe on validation ``[concepts]``."""
        return self._f1(self._rows.uses.validation)

    @cached_property
    def scored_f1(self) -> FloatArray:
        """The same on the scored rows ``[concepts]``."""
        return self._f1(self._rows.uses.scored)

    @cached_property
    def right(self) -> tuple[Ints, ...]:
        """Scored rows of each concept that its probe gets right."""
        said = self.probes.scores(self._targets) > 0
        rows = (self._rows.scored_of(concept) for concept in range(len(self._rows.concepts)))
        return tuple(own[said[own, concept]] for concept, own in enumerate(rows))

    @cached_property
    def told(self) -> tuple[int, ...]:
        """Concepts whose probe is good enough, and gets a scored word right."""
        good = self.validation_f1 > self._rule.least_f1
        return tuple(concept for concept in self.with_words if good[concept])

    @property
    def with_words(self) -> tuple[int, ...]:
        """Concepts whose probe gets a scored word right."""
        return tuple(concept for concept, rows in enumerate(self.right) if len(rows))

    def main_latents(self, latents: sp.csr_array) -> list[MainLatents]:
        """Main latents of every concept; of latents ``[rows, d_sae]``."""
        rule = self._rule
        own = MainRule(most=rule.most_main, jump=rule.jump)
        return choose_main(latents, self._rows.labels, self._rows.uses, own)

    def cases(self, coder: Coder, latents: sp.csr_array, main: list[MainLatents]) -> dict[int, ConceptCase]:
        """Hold a dictionary's latents ``[rows, d_sae]`` against the probes, for concepts with words, by number."""
        train, labels = self._rows.uses.train, self._rows.labels
        cosines = coder.decoder.double().cpu().numpy() @ self.probes.directions.T
        elsewhere = other_means(latents[train], labels[train])
        return {
            concept: ConceptCase(
                words=self._rows.word[self.right[concept]],
                latents=latents[self.right[concept]].toarray().astype(np.float64),
                elsewhere=elsewhere[concept],
                cosines=cosines[:, concept],
                projection=self._projections[self.right[concept], concept],
                projection_elsewhere=float(self._projections[train[~labels[train, concept]], concept].mean()),
                main=main[concept].latents,
            )
            for concept in self.with_words
        }

    def table(self) -> pd.DataFrame:
        """One row a concept: its words, F1 of its probe, whether it is scored, words that its probe gets right."""
        train = self._rows.labels[self._rows.uses.train].sum(axis=0)
        return pd.DataFrame(
            {
                "concept": self._rows.concepts,
                "train_rows": train,
                "probe_f1_validation": self.validation_f1,
                "probe_f1": self.scored_f1,
                "told": np.isin(np.arange(len(self._rows.concepts)), self.told),
                "probe_true_positives": [len(rows) for rows in self.right],
            }
        )

    @cached_property
    def _targets(self) -> FloatArray:
        return self._activations.targets

    @cached_property
    def _projections(self) -> FloatArray:
        """Of all rows on all probes' directions ``[rows, concepts]``."""
        found: FloatArray = self._targets @ self.probes.directions.T
        return found

    def _f1(self, rows: Ints) -> FloatArray:
        return f1(self.probes.scores(self._targets[rows]) > 0, self._rows.labels[rows])
