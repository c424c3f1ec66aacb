"""The absorption family: latents of a concept that fall silent where a word's own latent speaks for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import pandas as pd

from mibench.artifacts.dictionaries.checks import check_model
from mibench.core.errors import UsageError
from mibench.core.hashing import digest
from mibench.core.specs import Convention
from mibench.engine.activations.capture import width_of
from mibench.engine.activations.source import ActivationSource
from mibench.engine.dictionaries.coder import Coder
from mibench.engine.meter import Progress, no_progress
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.absorption import AbsorbedWords, ConceptCase, Thresholds, absorbed_words
from mibench.metrics.sae.absorption_main import MainLatents
from mibench.metrics.sae.absorption_scores import (
    HIERARCHY,
    Naming,
    ScoredConcept,
    absorption_metrics,
    no_metrics,
    word_table,
)
from mibench.metrics.sae.saebench_absorption import Letter, letter_table, saebench_metrics, saebench_words
from mibench.records.record import MetricValue
from mibench.tasks.absorption.hierarchy import hierarchy_prompts
from mibench.tasks.absorption.prompts import WordPrompt, prompts_digest
from mibench.tasks.absorption.settings import HierarchySettings, LetterSettings
from mibench.tasks.absorption.words import letter_prompts
from mibench.tracks.sae.absorption_concepts import Concepts
from mibench.tracks.sae.absorption_hedging import Hedging, KindLatents
from mibench.tracks.sae.absorption_words import WordActivations, WordRows, first_words
from mibench.tracks.sae.evaluation import Ground, Network, Scores, Subject

CONCEPTS, WORDS, KINDS, LETTERS = "absorption-concepts", "absorption-words", "hedging-kinds", "absorption-letters"
_NO_NULLS = "there is no frozen decoder to compare with"


def prepare(settings: LetterSettings | HierarchySettings, ground: Ground) -> AbsorptionEvaluation:
    """Return the evaluation; words are chosen, and the model run, when they are first needed.

    Raises:
        UsageError: There is no model or no tokenizer, the split is not known, or the convention has no such task.
    """
    if ground.network is None:
        raise UsageError("Absorption needs a model.", why="None was given.", do="Name one with --model.")
    if ground.network.encoder is None:
        why = "Words have to be turned into token ids."
        raise UsageError("Absorption needs a tokenizer.", why=why, do="Use a model that has one.")
    if ground.split not in {"validation", "test"}:
        why = "Probes are fitted on train and tuned on validation."
        raise UsageError(f"'{ground.split}' cannot be scored.", why=why, do="Use validation or test.")
    letters = isinstance(settings, LetterSettings)
    if ground.convention is Convention.MIB or (ground.convention is Convention.SAEBENCH and not letters):
        why = "MIB does not score dictionaries, and SAEBench's absorption is of first letters."
        raise UsageError(f"There is no convention '{ground.convention}' for this task.", why=why, do="Use mibench.")
    return AbsorptionEvaluation(settings, ground, ground.network)


@dataclass(frozen=True, eq=False)
class _Held:
    """A dictionary held against the concepts.

    Attributes:
        main: Main latents of every concept.
        cases: Concepts with words that the probe gets right, by number.
        l0: Active latents of a prompt.
        kinds: Latents of kinds, for hedging.
    """

    main: list[MainLatents]
    cases: dict[int, ConceptCase]
    l0: float
    kinds: KindLatents


class AbsorptionEvaluation:
    """Words with a concept each, read at one place.

    Probes are fitted where dictionaries write: on what they reconstruct. For a transcoder that is not what it reads.

    Args:
        settings: Which words, and how they are scored.
        ground: Where and how. With split ``validation``, the words that tuned everything are scored too.
        network: The model, with a tokenizer.
    """

    def __init__(self, settings: LetterSettings | HierarchySettings, ground: Ground, network: Network) -> None:
        self._settings, self._ground, self._network = settings, ground, network
        self._saebench = ground.convention is Convention.SAEBENCH
        rule = settings.rule
        self._limits = Thresholds(cosine=rule.cosine, share=rule.share, absorbers=rule.absorbers)
        self._nulls: dict[str, _Held] = {}

    @property
    def digest(self) -> str:
        """sha256 of the prompts, how they are read, the nulls, and the seeds."""
        ground = self._ground
        scored = {"split": ground.split, "limit": ground.limit, "seed": ground.seed, "bos": ground.text.bos}
        if not self._saebench:
            scored["nulls"] = ground.nulls_digest
        return digest({"prompts": prompts_digest(self._rows.prompts), "settings": asdict(self._settings), **scored})

    @property
    def n_examples(self) -> int:
        """Scored prompts."""
        return len(self._rows.uses.scored)

    @property
    def source(self) -> ActivationSource | None:
        """None: methods train on the ground's text."""
        return None

    def score(self, subjects: Sequence[Subject], progress: Progress = no_progress) -> list[Scores]:
        """Score dictionaries one after the other; words and probes are prepared once for all.

        Raises:
            ArtifactError: A dictionary does not fit the place.
            MibenchError: The words cannot be had, or not used with this model.
        """
        model, place = self._network.model, self._ground.place
        for subject in subjects:
            check_model(subject.dictionary, width_of(model, place.hook), width_of(model, place.target))
        found = []
        for done, subject in enumerate(subjects):
            progress(done, len(subjects))
            found.append(self._of_saebench(subject.coder) if self._saebench else self._own(subject.coder))
        progress(len(subjects), len(subjects))
        return found

    @cached_property
    def _rows(self) -> WordRows:
        prompts, words = self._prompts(), self._ground.words
        shown = prompts if words is None else first_words(prompts, words)
        return WordRows.of(shown, self._ground.split, self._ground.limit)

    def _prompts(self) -> tuple[WordPrompt, ...]:
        network, settings, bos = self._network, self._settings, self._ground.text.bos
        if network.encoder is None:
            raise UsageError("Absorption needs a tokenizer.", why="There is none.", do="Use a model that has one.")
        if isinstance(settings, HierarchySettings):
            return hierarchy_prompts(network.encoder, settings, bos=bos)
        return letter_prompts(network.encoder, int(network.model.hf.config.vocab_size), settings, bos=bos)

    @cached_property
    def _activations(self) -> WordActivations:
        return WordActivations(self._rows, self._ground, self._network)

    @cached_property
    def _concepts(self) -> Concepts:
        return Concepts(self._rows, self._activations, self._settings.rule)

    @cached_property
    def _hedging(self) -> Hedging:
        return Hedging(self._rows, self._activations, Resampling(seed=self._ground.seed))

    @property
    def _naming(self) -> Naming:
        resampling = Resampling(seed=self._ground.seed)
        if isinstance(self._settings, HierarchySettings):
            return Naming(HIERARCHY, "kinds", resampling)
        return Naming("", "letters", resampling)

    def _hold(self, coder: Coder) -> _Held:
        latents = self._activations.latents(coder)
        main = self._concepts.main_latents(latents)
        found = self._settings.found if isinstance(self._settings, HierarchySettings) else 1.0
        kinds = KindLatents.of(coder, main, found)
        return _Held(
            main, self._concepts.cases(coder, latents, main), latents.count_nonzero() / latents.shape[0], kinds
        )

    def _own(self, coder: Coder) -> Scores:
        held = self._hold(coder)
        null = self._null(coder.d_sae, held.l0)
        words = self._absorbed(held)
        tables = {CONCEPTS: self._concept_table(held, words)}
        if words:
            tables[WORDS] = word_table(self._names(words), {self._rows.concepts[one]: words[one] for one in words})
        metrics = self._metrics(held, words, null)
        if isinstance(self._settings, HierarchySettings):
            metrics |= self._hedging.metrics(held.kinds, null if isinstance(null, str) else null.kinds)
            tables[KINDS] = self._hedging.table(held.kinds)
        return Scores(tables, metrics)

    def _metrics(self, held: _Held, words: dict[int, AbsorbedWords], null: _Held | str) -> dict[str, MetricValue]:
        concepts, rule = self._concepts, self._settings.rule
        if len(concepts.told) < rule.least_concepts:
            share = f"{len(concepts.told)} of {len(self._rows.concepts)} {self._naming.concepts}"
            reason = f"{share} have a probe with F1 above {rule.least_f1:g} on validation, not {rule.least_concepts}"
            return no_metrics(reason, self._naming.prefix)
        absent = null if isinstance(null, str) else self._told(null, self._absorbed(null))
        return absorption_metrics(self._told(held, words), absent, self._naming)

    def _told(self, held: _Held, words: dict[int, AbsorbedWords]) -> list[ScoredConcept]:
        f1 = self._concepts.scored_f1
        return [ScoredConcept(absorbed, held.main[one], float(f1[one])) for one, absorbed in words.items()]

    def _absorbed(self, held: _Held) -> dict[int, AbsorbedWords]:
        return {concept: absorbed_words(held.cases[concept], self._limits) for concept in self._concepts.told}

    def _names(self, words: dict[int, AbsorbedWords]) -> dict[str, list[str]]:
        rows = self._rows
        return {rows.concepts[one]: [rows.prompts[row].word for row in self._concepts.right[one]] for one in words}

    def _concept_table(self, held: _Held, words: dict[int, AbsorbedWords]) -> pd.DataFrame:
        table, numbers = self._concepts.table(), range(len(self._rows.concepts))
        table["main"] = [" ".join(map(str, one.latents)) for one in held.main]
        table["splits"] = [len(one.latents) for one in held.main]
        table["main_f1_validation"] = [one.validation_f1 for one in held.main]
        table["main_f1"] = [one.scored_f1 for one in held.main]
        for name in ("absorbed", "fraction", "silent"):
            values = {one: float(getattr(words[one], name).mean()) for one in words}
            table[name] = pd.array([values.get(one) for one in numbers], dtype="Float64")
        return table

    def _null(self, d_sae: int, l0: float) -> _Held | str:
        """A frozen decoder held against the concepts, or why there is none."""
        if self._ground.nulls is None:
            return _NO_NULLS
        coder = self._ground.nulls.frozen(d_sae, l0)
        if isinstance(coder, str):
            return coder
        key = coder.dictionary.digest
        if key not in self._nulls:
            self._nulls[key] = self._hold(coder)
        return self._nulls[key]

    def _of_saebench(self, coder: Coder) -> Scores:
        held, rows = self._hold(coder), self._rows
        letters = [
            Letter(
                name=rows.concepts[one],
                words=saebench_words(case, self._limits),
                splits=len(case.main),
                told=one in self._concepts.told,
            )
            for one, case in held.cases.items()
        ]
        tables = {LETTERS: letter_table(letters), CONCEPTS: self._concept_table(held, {})}
        return Scores(tables, saebench_metrics(letters, Resampling(seed=self._ground.seed)))
