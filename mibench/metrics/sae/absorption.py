"""Absorption: a concept's main latents are silent where another latent speaks for the concept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.absorption_groups import WordValues, by_word
from mibench.metrics.sae.absorption_main import Ints

NONE = -1
"""In the place of a latent: there is none."""


@dataclass(frozen=True)
class Thresholds:
    """When a word is absorbed.

    Attributes:
        cosine: Cosine with the probe that an absorbing latent has to have.
        share: Share of the probe's projection that absorbing latents have to carry.
        absorbers: Latents that may carry it together, for the fraction.
    """

    cosine: float = 0.1
    share: float = 0.4
    absorbers: int = 3


@dataclass(frozen=True, eq=False)
class ConceptCase:
    """A dictionary on the prompts of one concept that the concept's probe gets right; each ends with a word.

    Attributes:
        words: Which word each prompt is of ``[prompts]``.
        latents: In units of the activation ``[prompts, d_sae]``.
        elsewhere: Their means over train words of other concepts ``[d_sae]``.
        cosines: Of decoder rows with the probe's direction ``[d_sae]``.
        projection: Of the activations on the probe's direction ``[prompts]``.
        projection_elsewhere: Its mean over train words of other concepts.
        main: Main latents.
    """

    words: Ints
    latents: FloatArray
    elsewhere: FloatArray
    cosines: FloatArray
    projection: FloatArray
    projection_elsewhere: float
    main: Ints


@dataclass(frozen=True, eq=False)
class AbsorbedWords:
    """What became of the words of one concept. All ``[prompts]``.

    Attributes:
        words: Which word each prompt is of.
        need: What the activations have along the probe, over those of other words.
        main: What the main latents write of it.
        carried: What absorbing latents write of it, the largest few together.
        best: The largest of them; `NONE` where there is none.
        best_carried: What it writes.
        silent: Whether no main latent is active.
        absorbed: Whether the concept is absorbed in full.
        fraction: Share of the concept that is absorbed.
    """

    words: Ints
    need: FloatArray
    main: FloatArray
    carried: FloatArray
    best: Ints
    best_carried: FloatArray
    silent: BoolArray
    absorbed: BoolArray
    fraction: FloatArray


def absorbed_words(case: ConceptCase, limits: Thresholds) -> AbsorbedWords:
    """Divide what a word has of its concept among main, absorbing and other latents.

    With p̂ the probe's direction and E₋ the mean over train words of other concepts: need = (x − E₋x)·p̂, and latent j
    writes ``c_j = (f_j − E₋f_j)(w_j·p̂)`` of it; what all latents and the error write adds up to it. A latent that is as
    active for other words therefore writes nothing. Absorbing latents are active, no main latents, have
    ``w_j·p̂ ≥ limits.cosine`` and ``c_j > 0``.

    absorbed: no main latent is active, and one absorbing latent writes ``limits.share`` of the need or more.
    fraction: with m what main latents write and a what the largest ``limits.absorbers`` absorbing latents do, 0 where
    m ≥ need or a < ``limits.share`` · need; else 1 where m ≤ 0; else a' / (a' + m), a' = min(a, need − m).
    """
    written = (case.latents - case.elsewhere) * case.cosines
    active = case.latents != 0
    need = case.projection - case.projection_elsewhere
    main = written[:, case.main].sum(axis=1)
    absorbing = active & (case.cosines >= limits.cosine) & (written > 0)
    absorbing[:, case.main] = False
    parts = np.where(absorbing, written, 0.0)
    carried = largest_sum(parts, limits.absorbers)
    best = parts.argmax(axis=1)
    best_carried = parts[np.arange(len(parts)), best]
    silent = ~active[:, case.main].any(axis=1)
    return AbsorbedWords(
        words=case.words,
        need=need,
        main=main,
        carried=carried,
        best=np.where(best_carried > 0, best, NONE).astype(np.int64),
        best_carried=best_carried,
        silent=silent,
        absorbed=silent & (need > 0) & (best_carried > 0) & (best_carried >= limits.share * need),
        fraction=fraction_of(main, carried, need, limits.share),
    )


def fraction_of(main: FloatArray, carried: FloatArray, need: FloatArray, share: float) -> FloatArray:
    """Share of a concept that is absorbed, as `absorbed_words` has it. All ``[prompts]``."""
    taken = np.minimum(carried, need - main)
    whole = taken + main
    partly = np.divide(taken, whole, out=np.ones_like(whole), where=main > 0)
    gated = (need <= 0) | (main >= need) | (carried < share * need) | (carried <= 0)
    return np.where(gated, 0.0, np.clip(partly, 0.0, 1.0))


def largest_sum(parts: FloatArray, count: int) -> FloatArray:
    """Sum of the ``count`` largest entries of each row. ``[prompts, d_sae] -> [prompts]``."""
    if count >= parts.shape[1]:
        return np.asarray(parts.sum(axis=1))
    return np.asarray(np.partition(parts, -count, axis=1)[:, -count:].sum(axis=1))


@metric(name="absorption", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def absorption(words: Sequence[AbsorbedWords], concepts: str = "letters") -> WordValues:
    """Share of words whose first letter no main latent tells, while one other latent carries it.

    Of the scored words that a probe on the activation gets right: those on which no main latent of the letter is
    active, and one active latent with cosine .1 or more to the probe writes 40 % or more of what the word has along the
    probe over words of other letters (`absorbed_words`). Main latents are chosen on train, their number on validation
    (`mibench.metrics.sae.absorption_main`). Mean over words of a letter, then over letters whose probe has F1 above .6
    on validation. Interval: letters, then words, are resampled.

    The same of kinds of things, whose members stand in several sentences each, is ``hierarchy_absorption`` in records:
    does a latent of ``dog`` take over ``animal``? Likewise with the other metrics of this family.

    A dictionary without a latent for letters absorbs nothing: read it with ``absorption_main_f1``, and against
    ``absorption_null``. Not scaled from floor to ceiling: a random dictionary scores well.

    Range: [0, 1]. Lower is better. Source: Chanin et al. 2024 (arXiv 2409.14507); the projections are taken over those
    of other words, which SAEBench does not do.
    """
    return WordValues(tuple(by_word(one.absorbed, one.words) for one in words), concepts)


@metric(name="absorption_fraction", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def absorption_fraction(words: Sequence[AbsorbedWords], concepts: str = "letters") -> WordValues:
    """Share of a first letter that up to three other latents carry in the place of its main latents.

    As `absorption`, with a part for words whose main latents are weak rather than silent (`absorbed_words`).

    Range: [0, 1]. Lower is better. Source: Karvonen et al. 2025 (arXiv 2503.09532), changed as for `absorption`.
    """
    return WordValues(tuple(by_word(one.fraction, one.words) for one in words), concepts)


@metric(name="absorption_misses", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0)
def absorption_misses(words: Sequence[AbsorbedWords], concepts: str = "letters") -> WordValues:
    """Share of words, of those that the probe gets right, on which no main latent of their letter is active.

    ``absorption`` is the part of these for which another latent is found that carries the letter; in a small model,
    whose letters are spread over many latents, it may find none. Floor: the same with a frozen decoder, as for
    `absorption_null`.

    Range: [0, 1]. Lower is better. Source: after Chanin et al. 2024 (arXiv 2409.14507).
    """
    return WordValues(tuple(by_word(one.silent, one.words) for one in words), concepts)


@metric(name="absorption_null", version=1, track="sae", unit="", higher_is_better=None)
def absorption_null(words: Sequence[AbsorbedWords], concepts: str = "letters") -> WordValues:
    """``absorption`` of a dictionary with a frozen random decoder, as wide and about as sparse on these words.

    What is measured without learned features; no floor, since a dictionary may be above or below.

    Range: [0, 1]. Neither end is better. Source: the control of arXiv 2602.14111.
    """
    return absorption(words, concepts)


@metric(name="absorption_fraction_null", version=1, track="sae", unit="", higher_is_better=None)
def absorption_fraction_null(words: Sequence[AbsorbedWords], concepts: str = "letters") -> WordValues:
    """``absorption_fraction`` of the same dictionary with a frozen decoder.

    Range: [0, 1]. Neither end is better. Source: as `absorption_null`.
    """
    return absorption_fraction(words, concepts)
