"""The core family: how well dictionaries reconstruct activations of text, and what the model loses by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from mibench.core.errors import ArtifactError, UsageError
from mibench.core.hashing import digest
from mibench.core.specs import Convention
from mibench.engine.activations.capture import width_of
from mibench.engine.activations.source import ActivationSource
from mibench.engine.activations.store import StoredActivations
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.sae.core import core_metrics
from mibench.metrics.sae.core_tables import CONTEXTS, LATENTS, LOSSES
from mibench.metrics.sae.saebench_core import GROUP, saebench_metrics
from mibench.tasks.corpora.blocks import TokenBlocks, token_blocks
from mibench.tasks.corpora.load import load_corpus
from mibench.tasks.sae.core import CoreTask
from mibench.tracks.sae.core_latents import latent_table
from mibench.tracks.sae.core_losses import LossRuns, Replacements
from mibench.tracks.sae.core_sums import SubjectSums, TargetSums, groups
from mibench.tracks.sae.evaluation import Ground, Network, Scores, Subject
from mibench.tracks.sae.stored import activations_of

MASSIVE = 10.0
"""How often the median norm an activation may be long without being massive."""
CALIBRATION = 16
"""First contexts that the median is taken of."""


def prepare(settings: CoreTask, ground: Ground) -> CoreEvaluation:
    """Return the evaluation; text is tokenized, and the model run, when they are first needed.

    Raises:
        UsageError: There is no model, or the convention has no such family.
    """
    if ground.network is None:
        raise UsageError("The core family needs a model.", why="None was given.", do="Name one with --model.")
    if ground.convention is Convention.MIB:
        why = "MIB does not score dictionaries."
        raise UsageError("Dictionaries have no convention 'mib'.", why=why, do="Use mibench or saebench.")
    return CoreEvaluation(settings, ground, ground.network)


class CoreEvaluation:
    """Activations of text at one place, and what ablating them costs.

    Args:
        settings: How much text.
        ground: Where and how.
        network: The model.
    """

    def __init__(self, settings: CoreTask, ground: Ground, network: Network) -> None:
        self._settings, self._ground, self._network = settings, ground, network
        self._saebench = ground.convention is Convention.SAEBENCH
        self._targets: TargetSums | None = None

    @property
    def digest(self) -> str:
        """sha256 of the text, how much of it is used for what, and the seed."""
        settings = asdict(self._settings)
        return digest({"blocks": self.blocks.digest, "settings": settings, "seed": self._ground.seed})

    @property
    def n_examples(self) -> int:
        """Evaluated contexts."""
        return len(self.blocks)

    @property
    def source(self) -> ActivationSource | None:
        """None: methods train on the ground's text."""
        return None

    @cached_property
    def blocks(self) -> TokenBlocks:
        """The text."""
        text, ground = self._ground.text, self._ground
        corpus, encoder = load_corpus(text.corpus), self._network.encoder
        tokens = self._settings.tokens
        blocks = token_blocks(corpus, ground.split, encoder, context=text.context, bos=text.bos, tokens=tokens)
        return blocks.first(ground.limit)

    @cached_property
    def _activations(self) -> StoredActivations:
        return activations_of(self._ground, self._network, self.blocks)

    @cached_property
    def _limit(self) -> float:
        """Norm above which a token has a massive activation."""
        first = next(self._activations.passes(CALIBRATION))
        norms = first.targets[first.scored].to(torch.float64).norm(dim=-1)
        return MASSIVE * float(norms.median()) if len(norms) else math.inf

    @cached_property
    def _losses(self) -> LossRuns:
        """On the first contexts that have enough scored tokens."""
        wanted, scored = self._settings.ce_tokens, self.blocks.scored.sum(1).cumsum()
        contexts = self.blocks.first(int(np.searchsorted(scored, wanted)) + 1 if wanted else 0)
        return LossRuns(self._network.model, self._ground, contexts, whole=self._saebench)

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries in one pass over the activations, and one over the contexts that losses are measured on.

        Raises:
            ArtifactError: A dictionary does not fit the place.
            MibenchError: The text cannot be used with this model.
        """
        if not subjects:
            return []
        for subject in subjects:
            self._check(subject)
        total = len(self.blocks) + len(self._losses)
        targets, sums = self._read(subjects, progress, total)
        coders = [subject.coder for subject in subjects]
        losses: list[pd.DataFrame | None] = [None] * len(subjects)
        if len(self._losses):
            replacements = self._replacements(targets)
            losses[:] = self._losses.tables(coders, replacements, len(self.blocks), progress, total)
        return [self._scores(*one, targets) for one in zip(subjects, sums, losses, strict=True)]

    def _read(
        self, subjects: Sequence[Subject], progress: Progress, total: int
    ) -> tuple[TargetSums, list[SubjectSums]]:
        """Sum over all activations; what does not depend on the dictionary is summed the first time only."""
        known, targets = self._targets is not None, self._targets or self._new_targets()
        sums = [SubjectSums(one.coder, len(self.blocks), legacy=self._saebench, limit=self._limit) for one in subjects]
        batches = self._activations.passes()
        for batch in groups(batches, GROUP) if self._saebench else batches:
            context = batch.scored.nonzero()[:, 0] + batch.rows.start
            inputs, wanted = batch.inputs[batch.scored], batch.targets[batch.scored]
            if not known:
                targets.add(batch, wanted, context)
            for one in sums:
                one.add(inputs, wanted, context)
            progress(batch.rows.stop, total)
        self._targets = targets
        return targets, sums

    def _new_targets(self) -> TargetSums:
        n_scored, generator = self.blocks.n_scored, np.random.default_rng([self._ground.seed, 0])
        picked = np.sort(generator.choice(n_scored, min(self._settings.pool, n_scored), replace=False))
        model = self._network.model
        return TargetSums(
            self.blocks.scored, picked, width_of(model, self._ground.place.target), model.device, self._limit
        )

    def _replacements(self, targets: TargetSums) -> Replacements:
        generator, pool = np.random.default_rng([self._ground.seed, 1]), targets.pool
        draws = generator.integers(len(pool), size=(len(self._losses), self.blocks.context))
        return Replacements(targets.mean, pool, draws)

    def _scores(self, subject: Subject, sums: SubjectSums, losses: pd.DataFrame | None, targets: TargetSums) -> Scores:
        latents = latent_table(subject, sums, int(targets.tokens.sum()), encoders=self._saebench)
        tables = {CONTEXTS: sums.table(targets, self.blocks.document[:, 0]), LATENTS: latents}
        if losses is not None:
            tables[LOSSES] = losses
        compute = saebench_metrics if self._saebench else core_metrics
        return Scores(tables, compute(tables, seed=self._ground.seed))

    def _check(self, subject: Subject) -> None:
        model, place, coder = self._network.model, self._ground.place, subject.coder
        widths = width_of(model, place.hook), width_of(model, place.target)
        if (coder.d_in, coder.d_out) != widths:
            raise ArtifactError(
                "The dictionary does not fit the place where it is scored.",
                why=f"It reads {coder.d_in} entries and writes {coder.d_out}; {place.hook.name} has {widths[0]}, "
                f"{place.target.name} {widths[1]}.",
                do="Score it at the model, layer and hook point that it was trained on.",
            )
