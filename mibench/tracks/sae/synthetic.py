"""Family ``synthetic``: dictionaries held against the known features that activations were made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mibench.artifacts.dictionaries.checks import check_model
from mibench.core.errors import UsageError
from mibench.core.hashing import digest
from mibench.core.specs import Convention
from mibench.engine.activations.source import ActivationSource
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.normalised import normalised
from mibench.metrics.sae.synthetic_scores import (
    feature_table,
    latent_table,
    recovery_metrics,
    recovery_values,
    sample_table,
)
from mibench.records.record import MetricValue
from mibench.tasks.synthetic.samples import Sample
from mibench.tasks.synthetic.settings import SyntheticSettings
from mibench.tasks.synthetic.truth import make_truth
from mibench.tracks.sae.candidate import Candidate
from mibench.tracks.sae.evaluation import Ground, Scores, Subject
from mibench.tracks.sae.known_samples import BATCH, KnownSamples, drawn
from mibench.tracks.sae.synthetic_null import random_dictionary
from mibench.tracks.sae.synthetic_oracle import Oracle
from mibench.tracks.sae.synthetic_source import FIT, TEST, VALIDATION, SyntheticSource

NULLS = 3
"""Random dictionaries that a floor is the mean of."""
FIT_SAMPLES = 16 * BATCH
"""Samples that controls are fitted to."""

Values = dict[str, float | None]


@dataclass(frozen=True)
class Ends:
    """What a random dictionary and the true one reach.

    Attributes:
        floor: Of each metric, mean over random dictionaries; None where it is undefined.
        ceiling: Of each metric.
    """

    floor: Values
    ceiling: Values


class SyntheticEvaluation:
    """Samples of known features, drawn once, with controls of each width.

    Attributes:
        digest: sha256 of the law, the split and the seed.
        n_examples: Evaluated samples.
        source: Training samples.

    Args:
        settings: Of the task.
        ground: Split, limit, seed, place; needs no network.
    """

    def __init__(self, settings: SyntheticSettings, ground: Ground) -> None:
        self._settings, self._ground = settings, ground
        self.n_examples = settings.samples if ground.limit is None else min(ground.limit, settings.samples)
        self.source: ActivationSource = SyntheticSource(settings)
        self.digest = digest(
            {
                "recipe": settings.recipe.facts(),
                "split": ground.split,
                "seed": ground.seed,
                "samples": self.n_examples,
                "controls": [NULLS, FIT_SAMPLES],
            }
        )
        self._ends: dict[tuple[int, bool], Ends] = {}

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries, one by one; samples and controls are shared.

        Raises:
            ArtifactError: A dictionary is for activations of another width.
        """
        width = self._settings.recipe.width
        for subject in subjects:
            check_model(subject.dictionary, width, width)
        found = []
        for index, subject in enumerate(subjects):
            found.append(self._scores(subject.coder))
            progress(index + 1, len(subjects))
        return found

    @cached_property
    def _samples(self) -> KnownSamples:
        role = TEST if self._ground.split == "test" else VALIDATION
        truth = make_truth(self._settings.recipe)
        return KnownSamples(truth, drawn(truth, self.n_examples, (role, self._ground.seed)))

    def _scores(self, coder: Coder) -> Scores:
        evidence = self._samples.evidence(Candidate.of_coder(coder))
        metrics = recovery_metrics(evidence, Resampling(self._ground.seed))
        tables = {
            "features": feature_table(evidence),
            "latents": latent_table(evidence),
            "samples": sample_table(evidence),
        }
        return Scores(tables, _bounded(metrics, self._ends_of(coder)))

    def _ends_of(self, coder: Coder) -> Ends:
        either_sign = coder.dictionary.rule.activation == "linear"
        key = (coder.d_sae, either_sign)
        if key not in self._ends:
            fit = drawn(self._samples.truth, FIT_SAMPLES, (FIT, self._ground.seed))
            floors = [self._values(one, either_sign=either_sign) for one in self._random(coder, fit)]
            oracle = Candidate.of_oracle(Oracle(self._samples.truth, coder.d_sae, fit))
            ceiling = self._values(oracle, either_sign=either_sign)
            self._ends[key] = Ends({name: _mean([one[name] for one in floors]) for name in ceiling}, ceiling)
        return self._ends[key]

    def _values(self, control: Candidate, *, either_sign: bool) -> Values:
        """Numbers of a control, its cosines taken as those of what it is compared with."""
        return recovery_values(self._samples.evidence(Candidate(control.rows, control.codes, either_sign)))

    def _random(self, like: Coder, fit: Sequence[Sample]) -> list[Candidate]:
        """Random dictionaries of the same width, on the same device and in the same type."""
        truth, place = self._samples.truth, self._ground.place
        device, dtype = like.decoder.device, like.decoder.dtype
        made = [random_dictionary(truth, like.d_sae, fit, place, seed) for seed in range(NULLS)]
        return [Candidate.of_coder(Coder(one, device=device, dtype=dtype)) for one in made]


def prepare(settings: SyntheticSettings, ground: Ground) -> SyntheticEvaluation:
    """Return the evaluation; nothing is drawn before it is needed.

    Raises:
        UsageError: The convention has no such family, or split or limit cannot be used.
    """
    if ground.convention is not Convention.MIBENCH:
        why = f"'{ground.convention.value}' scores no dictionaries on generated data."
        raise UsageError("Recovery has one convention.", why=why, do="Use mibench.")
    if ground.split not in {"validation", "test"}:
        why = "Dictionaries are trained on train."
        raise UsageError(f"'{ground.split}' cannot be scored.", why=why, do="Use validation or test.")
    if ground.limit is not None and ground.limit < 1:
        raise UsageError(f"A limit of {ground.limit} leaves nothing.", why="It is below 1.", do="Give 1 or more.")
    return SyntheticEvaluation(settings, ground)


def _bounded(metrics: dict[str, MetricValue], ends: Ends) -> dict[str, MetricValue]:
    """Add floors and ceilings; where more is better, ``<name>_normalised`` too.

    Of what a random dictionary is not bad at (absorption, hedging, splitting), the floor is no end of a scale.
    """
    found = {
        name: value.model_copy(update={"floor": ends.floor[name], "ceiling": ends.ceiling[name]})
        for name, value in metrics.items()
    }
    return found | {f"{name}_normalised": normalised(value) for name, value in found.items() if value.higher_is_better}


def _mean(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else None
