"""The explainability family: latents on held-out text, predicted from tokens; no judge is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.core.hashing import digest
from mibench.engine.activations.source import ActivationSource
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.sae.explainability import COLUMNS, LATENTS, explainability_metrics
from mibench.metrics.sae.token_model import Grouping, explained, groupings
from mibench.tasks.corpora.blocks import TokenBlocks
from mibench.tasks.sae.explainability import ExplainabilityTask
from mibench.tracks.sae.evaluation import Ground, Network, Scores, Subject
from mibench.tracks.sae.latent_traces import LatentTraces, Sampling
from mibench.tracks.sae.text_halves import text_digest
from mibench.tracks.sae.traced_text import TracedText, network_of


def prepare(settings: ExplainabilityTask, ground: Ground) -> ExplainabilityEvaluation:
    """Return the evaluation; text is tokenized, and the model run, when they are first needed.

    Raises:
        UsageError: There is no model, or the convention has no such family.
    """
    return ExplainabilityEvaluation(settings, ground, network_of(ground, "Explaining latents by tokens"))


class ExplainabilityEvaluation:
    """A text at one place, its tokens in groups.

    Args:
        settings: How much text, and how many latents.
        ground: Where and how.
        network: The model.
    """

    def __init__(self, settings: ExplainabilityTask, ground: Ground, network: Network) -> None:
        self._settings, self._seed = settings, ground.seed
        self._text = TracedText(ground, network, settings.tokens)

    @property
    def digest(self) -> str:
        """sha256 of the text, how many latents are scored, and the seed."""
        return digest({"text": text_digest(self._text.blocks), "settings": asdict(self._settings), "seed": self._seed})

    @property
    def n_examples(self) -> int:
        """Contexts of both halves."""
        return len(self._text.blocks)

    @property
    def source(self) -> ActivationSource | None:
        """None: methods train on the ground's text."""
        return None

    @cached_property
    def _levels(self) -> tuple[Grouping, Grouping]:
        """Tokens, and pairs of tokens."""
        blocks, text = self._text.blocks, self._text
        half = np.full(len(blocks), -1)
        half[text.halves.fit], half[text.halves.held] = 0, 1
        of_token = np.repeat(half, blocks.scored.sum(1))
        tokens, previous = blocks.ids[blocks.scored].astype(np.int64), previous_ids(blocks)
        return groupings(tokens, previous, of_token == 0, of_token == 1)

    @cached_property
    def _shuffled(self) -> NDArray[np.int64]:
        """Another token of the same half for each token."""
        generator, coarse = np.random.default_rng([self._seed, 1]), self._levels[0]
        found = np.arange(len(coarse.group))
        for half in (coarse.fit, coarse.held):
            found[half] = generator.permutation(found[half])
        return found

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries in one pass over the fitted half, and one over all the text.

        Raises:
            ArtifactError: A dictionary does not fit the place.
            MibenchError: The text cannot be used with this model.
        """
        sampling = Sampling(self._settings.latents, self._settings.min_active, self._seed)
        traces = self._text.traces(subjects, sampling, progress)
        tables = [{LATENTS: self._table(one)} for one in traces]
        return [Scores(table, explainability_metrics(table, seed=self._seed)) for table in tables]

    def _table(self, traces: LatentTraces) -> pd.DataFrame:
        """One row per latent, columns `mibench.metrics.sae.explainability.COLUMNS`."""
        table = pd.DataFrame({"latent": np.arange(len(traces.fit_active))})
        table["live"] = traces.fit_active >= max(1, self._settings.min_active)
        table["sampled"] = np.isin(table["latent"], traces.latents)
        table["fit_active"] = traces.fit_active
        rows = pd.DataFrame([self._row(traces, column) for column in range(len(traces.latents))], traces.latents)
        return table.join(rows.reindex(columns=COLUMNS[4:]))

    def _row(self, traces: LatentTraces, column: int) -> dict[str, float]:
        tokens, values = traces.of(column)
        token, bigram = explained(self._levels, tokens, values)
        token_null, bigram_null = explained(self._levels, self._shuffled[tokens], values)
        return {
            "held_active": float(self._levels[0].held[tokens].sum()),
            "token_r2": token.r2,
            "bigram_r2": bigram.r2,
            "token_auc": token.auc,
            "bigram_auc": bigram.auc,
            "token_r2_null": token_null.r2,
            "bigram_r2_null": bigram_null.r2,
        }


def previous_ids(blocks: TokenBlocks) -> NDArray[np.int64]:
    """Id of the token before each scored token, special ones included; −1 at the beginning of a context."""
    before = np.full(blocks.ids.shape, -1, np.int64)
    before[:, 1:] = blocks.ids[:, :-1]
    return before[blocks.scored]
