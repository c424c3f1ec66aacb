"""The probing family: what a few latents say about labelled texts, next to what needs no dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property, reduce
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import UsageError
from mibench.core.hashing import digest
from mibench.core.specs import Convention
from mibench.engine.activations.source import ActivationSource
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.probe_tables import DENSE, FROZEN, LATENTS, RAW, long_table, read_scores, set_table
from mibench.metrics.sae.probing import probing_metrics, saebench_metrics
from mibench.metrics.sae.sparse_probe import SAEBENCH_RULE, ProbeRule
from mibench.tasks.probing.load import load_sets
from mibench.tasks.probing.settings import ProbingSettings
from mibench.tasks.probing.splits import SplitName
from mibench.tracks.sae.evaluation import Ground, Network, Scores, Subject
from mibench.tracks.sae.pooled import PooledTexts, Reading
from mibench.tracks.sae.probe_sets import Division, ProbedSet, SetRows, SourceSets

SETS, ROWS = "probe-sets", "probe-scores"
_NO_NULLS = "there is no frozen decoder to compare with"

SetScores = dict[str, ProbedSet]
"""By name of the set."""


def prepare(settings: ProbingSettings, ground: Ground) -> ProbingEvaluation:
    """Return the evaluation; sets are read, and the model run, when they are first needed.

    Raises:
        UsageError: There is no model, the convention has no such family, or a split is not known.
    """
    if ground.network is None:
        raise UsageError("Probing needs a model.", why="None was given.", do="Name one with --model.")
    if ground.convention is Convention.MIB:
        why = "MIB does not score dictionaries."
        raise UsageError("Dictionaries have no convention 'mib'.", why=why, do="Use mibench or saebench.")
    if ground.split not in {"validation", "test"}:
        why = "Probes are fitted on train and tuned on validation."
        raise UsageError(f"'{ground.split}' cannot be scored.", why=why, do="Use validation or test.")
    return ProbingEvaluation(settings, ground, ground.network)


class ProbingEvaluation:
    """Labelled texts at one place.

    Args:
        settings: Which sets, and how they are probed.
        ground: Where and how.
        network: The model.
    """

    def __init__(self, settings: ProbingSettings, ground: Ground, network: Network) -> None:
        self._settings, self._ground, self._network = settings, ground, network
        self._saebench = ground.convention is Convention.SAEBENCH
        self._rule = SAEBENCH_RULE if self._saebench else ProbeRule(strengths=settings.strengths)
        self._frozen: dict[str, SetScores] = {}

    @property
    def digest(self) -> str:
        """sha256 of the sets, their splits, how they are read and probed, and the nulls."""
        ground = self._ground
        scored = {"split": ground.split, "limit": ground.limit, "seed": ground.seed, "bos": ground.text.bos}
        if not self._saebench:
            scored |= {"nulls": ground.nulls_digest, "held_out": self._division.held_out}
        sets = [one.digest for source in self._sources for one in source.labelled]
        return digest({"sets": sets, "settings": asdict(self._settings), "rule": asdict(self._rule), **scored})

    @property
    def n_examples(self) -> int:
        """Scored texts, counted in each set."""
        return sum(len(one.split.scored) for source in self._sources for one in source.sets)

    @property
    def source(self) -> ActivationSource | None:
        """None: methods train on the ground's text."""
        return None

    @property
    def _division(self) -> Division:
        ground, tuned = self._ground, len(self._rule.strengths) > 1
        split = cast("SplitName", ground.split)
        return Division(split, ground.limit, self._settings.split_seed, tuned=tuned)

    @cached_property
    def _sources(self) -> tuple[SourceSets, ...]:
        labelled, division = load_sets(self._settings), self._division
        names = sorted({one.source for one in labelled})
        return tuple(SourceSets(name, tuple(one for one in labelled if one.source == name), division) for name in names)

    @cached_property
    def _texts(self) -> dict[str, PooledTexts]:
        """By source."""
        reading = Reading(self._settings.max_tokens, "mean" if self._saebench else self._settings.pool)
        return {one.name: PooledTexts(one.texts, self._ground, self._network, reading) for one in self._sources}

    @cached_property
    def _baselines(self) -> SetScores:
        """Probes on the activations themselves; the same for all dictionaries."""
        found: SetScores = {}
        kinds = (RAW,) if self._saebench else (RAW, DENSE)
        for source in self._sources:
            inputs = self._texts[source.name].inputs
            for one in source.sets:
                found[one.labelled.name] = self._probed(one, inputs, *kinds)
        return found

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries one after the other; texts and baselines are prepared once for all.

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
        own, l0 = self._of(coder, LATENTS)
        null = _NO_NULLS if self._saebench else self._null(coder.d_sae, l0)
        others = [self._baselines] if isinstance(null, str) else [self._baselines, null]
        probed = {name: reduce(ProbedSet.joined, [one[name] for one in others], part) for name, part in own.items()}
        sets = [one.scored(probed[one.labelled.name].scores) for source in self._sources for one in source.sets]
        table = long_table(sets, list(next(iter(probed.values())).scores))
        resampling, ks = Resampling(seed=self._ground.seed), self._settings.ks
        if self._saebench:
            metrics = saebench_metrics(table, ks, resampling)
        else:
            metrics = probing_metrics(table, ks, resampling, no_frozen=null if isinstance(null, str) else _NO_NULLS)
        made = {(name, key): facts for name, part in probed.items() for key, facts in part.facts().items()}
        return Scores({SETS: set_table(read_scores(table), made), ROWS: table}, metrics)

    def _of(self, coder: Coder, kind: str) -> tuple[SetScores, float]:
        """Probes on a dictionary's latents, and how many latents a token has active."""
        found: SetScores = {}
        active = tokens = 0
        for source in self._sources:
            latents = self._texts[source.name].latents(coder)
            active, tokens = active + latents.active, tokens + latents.tokens
            for one in source.sets:
                found[one.labelled.name] = self._probed(one, latents.values, kind)
        return found, active / tokens

    def _null(self, d_sae: int, l0: float) -> SetScores | str:
        """Probes on the latents of a frozen decoder, or why there are none."""
        if self._ground.nulls is None:
            return _NO_NULLS
        coder = self._ground.nulls.frozen(d_sae, l0)
        if isinstance(coder, str):
            return coder
        key = coder.dictionary.digest
        if key not in self._frozen:
            self._frozen[key] = self._of(coder, FROZEN)[0]
        return self._frozen[key]

    def _probed(self, one: SetRows, features: NDArray[np.floating], *kinds: str) -> ProbedSet:
        fits = [one.fit(features, kind, self._settings.ks, self._rule) for kind in kinds]
        probes = {key: probe for fitted in fits for key, probe in fitted.items()}
        return ProbedSet(probes, one.scores(features, probes))
