"""The SCR and TPP family: what ablating a few latents does to probes; both fail an audit and are for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import cast

import pandas as pd

from mibench.core.errors import UsageError
from mibench.core.hashing import digest
from mibench.core.specs import Convention
from mibench.engine.activations.source import ActivationSource
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.sae.ablated_probes import Concept, Pooled
from mibench.metrics.sae.adamw_probe import AdamWRecipe
from mibench.metrics.sae.scr import Pair, scr, scr_metrics
from mibench.metrics.sae.tpp import tpp, tpp_metrics
from mibench.tasks.probing.settings import AblationSettings
from mibench.tasks.probing.splits import SplitName
from mibench.tracks.sae.crossed import CrossedRows
from mibench.tracks.sae.evaluation import Ground, Network, Scores, Subject
from mibench.tracks.sae.pooled import PooledTexts, Reading
from mibench.tracks.sae.probe_sets import Division

TABLES = {"scr": "scr-accuracies", "tpp": "tpp-accuracies"}


def prepare(settings: AblationSettings, ground: Ground) -> AblationEvaluation:
    """Return the evaluation; texts are read, and the model run, when they are first needed.

    Raises:
        UsageError: There is no model, the convention has no such family, or a split is not known.
    """
    if ground.network is None:
        raise UsageError("SCR and TPP need a model.", why="None was given.", do="Name one with --model.")
    if ground.convention is Convention.MIB:
        why = "MIB does not score dictionaries."
        raise UsageError("Dictionaries have no convention 'mib'.", why=why, do="Use mibench or saebench.")
    if ground.split not in {"validation", "test"}:
        why = "Probes are trained on train."
        raise UsageError(f"'{ground.split}' cannot be scored.", why=why, do="Use validation or test.")
    return AblationEvaluation(settings, ground, ground.network)


class AblationEvaluation:
    """Texts with crossed attributes at one place; both conventions compute the same, SAEBench's definition.

    Args:
        settings: Which texts, and how many latents are ablated.
        ground: Where and how.
        network: The model.
    """

    def __init__(self, settings: AblationSettings, ground: Ground, network: Network) -> None:
        self._settings, self._ground, self._network = settings, ground, network

    @property
    def digest(self) -> str:
        """sha256 of the texts, their splits, and how probes are trained."""
        ground = self._ground
        scored = {"split": ground.split, "limit": ground.limit, "seed": ground.seed, "bos": ground.text.bos}
        return digest({"texts": [one.digest for one in self._rows], "settings": asdict(self._settings), **scored})

    @property
    def n_examples(self) -> int:
        """Scored texts."""
        return sum(len(one.rows[1]) for one in self._rows)

    @property
    def source(self) -> ActivationSource | None:
        """None: methods train on the ground's text."""
        return None

    @cached_property
    def _rows(self) -> tuple[CrossedRows, ...]:
        ground = self._ground
        division = Division(cast("SplitName", ground.split), ground.limit, self._settings.split_seed)
        return tuple(CrossedRows.shipped(one, division) for one in self._settings.sets)

    @cached_property
    def _texts(self) -> tuple[PooledTexts, ...]:
        reading = Reading(self._settings.max_tokens, "mean")
        return tuple(
            PooledTexts([text.text for text in one.texts], self._ground, self._network, reading) for one in self._rows
        )

    @cached_property
    def _concepts(self) -> tuple[tuple[Concept, ...], ...]:
        return tuple(
            one.concepts(texts.targets, self._recipe) for one, texts in zip(self._rows, self._texts, strict=True)
        )

    @cached_property
    def _pairs(self) -> tuple[tuple[Pair, ...], ...]:
        return tuple(one.pairs(texts.targets, self._recipe) for one, texts in zip(self._rows, self._texts, strict=True))

    @property
    def _recipe(self) -> AdamWRecipe:
        return AdamWRecipe(steps=self._settings.steps, seed=42 + self._ground.seed)

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries one after the other; texts and probes are prepared once for all.

        Raises:
            ArtifactError: A dictionary does not fit the place.
            MibenchError: The texts cannot be had, or not used with this model.
        """
        found = []
        for done, subject in enumerate(subjects):
            progress(done, len(subjects))
            found.append(self._score(subject.coder))
        progress(len(subjects), len(subjects))
        return found

    def _score(self, coder: Coder) -> Scores:
        ns = [n for n in self._settings.ns if n <= coder.d_sae]
        decoder = coder.decoder.double().cpu().numpy()
        parts = []
        for index, (one, texts) in enumerate(zip(self._rows, self._texts, strict=True)):
            pooled = Pooled(texts.targets, texts.latents(coder).values, decoder)
            kind = self._settings.kind
            table = tpp(pooled, self._concepts[index], ns) if kind == "tpp" else scr(pooled, self._pairs[index], ns)
            parts.append(table.assign(set=one.attribute.source))
        joined = pd.concat(parts, ignore_index=True)
        compute = tpp_metrics if self._settings.kind == "tpp" else scr_metrics
        return Scores({TABLES[self._settings.kind]: joined}, compute(joined, self._settings.ns, coder.d_sae))
