"""Absorption of words, by both definitions, against loops over latents and against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.absorption import (
    NONE,
    ConceptCase,
    Thresholds,
    absorbed_words,
    absorption,
    absorption_fraction,
    absorption_misses,
    fraction_of,
)
from mibench.metrics.sae.absorption_groups import WordValues, by_word, grouped_value, replicates
from mibench.metrics.sae.saebench_absorption import Letter, letter_table, saebench_metrics, saebench_words

LIMITS = Thresholds()


def case(seed: int = 0, words: int = 12, latents: int = 9, main: int = 2) -> ConceptCase:
    """A random case with many silent latents, and projections near what latents write."""
    rng = np.random.default_rng(seed)
    f = np.maximum(rng.normal(size=(words, latents)), 0) * (rng.random((words, latents)) < 0.6)
    cosines = rng.uniform(-0.3, 0.9, latents)
    return ConceptCase(
        words=np.arange(words) // 2,
        latents=f,
        elsewhere=rng.random(latents) * 0.1,
        cosines=cosines,
        projection=(f @ cosines) * rng.uniform(0.3, 2.0, words) + rng.normal(size=words) * 0.1,
        projection_elsewhere=float(rng.normal() * 0.1),
        main=rng.permutation(latents)[:main],
    )


def fraction_by_rule(main: float, top: float, need: float) -> float:
    """The paper's fraction of one word."""
    if need <= 0 or main >= need or top / need < 0.4:
        return 0.0
    if main <= 0:
        return 1.0
    taken = min(top, need - main)
    return taken / (taken + main)


@pytest.mark.parametrize("seed", range(25))
def test_words_are_divided_as_by_a_loop_over_latents(seed: int) -> None:
    one = case(seed)
    found = absorbed_words(one, LIMITS)
    for row, f in enumerate(one.latents):
        need = one.projection[row] - one.projection_elsewhere
        main, others = 0.0, []
        for latent, value in enumerate(f):
            written = (value - one.elsewhere[latent]) * one.cosines[latent]
            if latent in one.main:
                main += written
            elif value != 0 and one.cosines[latent] >= 0.1 and written > 0:
                others.append((written, latent))
        others.sort(reverse=True)
        silent = all(f[latent] == 0 for latent in one.main)
        best = others[0] if others else (0.0, NONE)
        assert found.silent[row] == silent
        assert found.best[row] == best[1]
        assert found.absorbed[row] == (silent and need > 0 and bool(others) and best[0] >= 0.4 * need)
        expected = fraction_by_rule(main, sum(value for value, _ in others[:3]), need)
        assert found.fraction[row] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_both_versions_of_saebench_are_as_by_a_loop_over_latents(seed: int) -> None:
    one = case(seed)
    found = saebench_words(one, LIMITS)
    for row, f in enumerate(one.latents):
        parts = f * one.cosines
        main = sum(parts[latent] for latent in one.main)
        others = [parts[j] for j in range(len(f)) if j not in one.main and one.cosines[j] >= 0.1 and parts[j] > 0]
        need = one.projection[row]
        top = sum(sorted(others, reverse=True)[:3])
        assert found.fraction[row] == pytest.approx(fraction_by_rule(main, top, need), abs=1e-12)
        best = int(np.argmax(parts))
        full = (
            all(abs(f[latent]) < 1e-8 for latent in one.main)
            and one.cosines[best] >= 0.025
            and need > 0
            and parts[best] / need >= 0.4
        )
        assert found.full[row] == full
        positive = sum(part for part in parts if part > 0)
        old = (positive - main) / positive if positive > 0 else 0.0
        assert found.fraction_0_3[row] == pytest.approx(min(max(old, 0.0), 1.0), abs=1e-12)


def test_random_cases_are_absorbed_now_and_then_so_that_the_loops_test_something() -> None:
    ours = np.concatenate([absorbed_words(case(seed), LIMITS).absorbed for seed in range(25)])
    theirs = [saebench_words(case(seed), LIMITS) for seed in range(25)]
    for found in (ours, np.concatenate([one.full for one in theirs])):
        assert 0.05 < found.mean() < 0.6
    parts = np.concatenate([one.fraction for one in theirs])
    assert min((parts == 0).sum(), (parts == 1).sum(), ((parts > 0) & (parts < 1)).sum()) > 20


def planted(silent: list[bool]) -> ConceptCase:
    """Latent 0 tells the concept; latent 1 is a word's own, with half of its row along the probe."""
    f = np.array([[0.0, 4.0] if one else [2.0, 0.0] for one in silent])
    return ConceptCase(
        np.arange(len(f)), f, np.zeros(2), np.array([1.0, 0.5]), np.full(len(f), 2.0), 0.0, np.array([0])
    )


def test_absorption_is_the_share_of_words_whose_own_latent_speaks_for_the_concept() -> None:
    words = [absorbed_words(planted([True, False, False, False]), LIMITS), absorbed_words(planted([False] * 3), LIMITS)]
    for measure in (absorption, absorption_fraction, absorption_misses):
        assert measure(words).value == pytest.approx(1 / 8)


def test_a_silent_concept_without_an_aligned_latent_is_missed_but_not_absorbed() -> None:
    one = planted([True, True])
    turned = ConceptCase(one.words, one.latents, one.elsewhere, np.array([1.0, 0.05]), one.projection, 0.0, one.main)
    found = absorbed_words(turned, LIMITS)
    assert absorption([found]).value == absorption_fraction([found]).value == 0
    assert absorption_misses([found]).value == 1


def test_a_latent_that_is_as_active_for_other_words_carries_nothing() -> None:
    one = planted([True])
    always = ConceptCase(one.words, one.latents, np.array([0.0, 4.0]), one.cosines, one.projection, 0.0, one.main)
    assert not absorbed_words(always, LIMITS).absorbed.any()
    assert saebench_words(always, LIMITS).full.all()


def test_a_weak_main_latent_shares_the_concept_with_the_absorbing_ones() -> None:
    assert fraction_of(np.array([0.5]), np.array([1.2]), np.array([2.0]), 0.4)[0] == pytest.approx(1.2 / 1.7)
    assert fraction_of(np.array([0.5]), np.array([9.0]), np.array([2.0]), 0.4)[0] == pytest.approx(1.5 / 2.0)
    assert fraction_of(np.array([0.5]), np.array([0.7]), np.array([2.0]), 0.4)[0] == 0
    assert fraction_of(np.array([-0.5]), np.array([0.9]), np.array([2.0]), 0.4)[0] == 1


@given(st.integers(0, 10_000), st.integers(0, 4))
def test_shares_lie_between_0_and_1_and_do_not_depend_on_the_order_of_latents(seed: int, main: int) -> None:
    one = case(seed, main=main)
    order = np.random.default_rng(seed).permutation(len(one.cosines))
    place = np.argsort(order)
    other = ConceptCase(
        one.words,
        one.latents[:, order],
        one.elsewhere[order],
        one.cosines[order],
        one.projection,
        one.projection_elsewhere,
        place[one.main],
    )
    for first, second in (
        (absorbed_words(one, LIMITS), absorbed_words(other, LIMITS)),
        (saebench_words(one, LIMITS), saebench_words(other, LIMITS)),
    ):
        assert ((first.fraction >= 0) & (first.fraction <= 1)).all()
        assert np.allclose(first.fraction, second.fraction)


def test_prompts_of_a_word_are_averaged_before_words_are() -> None:
    assert by_word(np.array([1, 0, 1, 1]), np.array([7, 7, 7, 3])).tolist() == pytest.approx([1.0, 2 / 3])


def test_replicates_draw_concepts_and_words() -> None:
    flat = WordValues((np.full(5, 0.2), np.full(3, 0.8)))
    drawn = replicates(flat, Resampling(seed=1, resamples=4000))
    assert set(np.round(drawn, 6)) == {0.2, 0.5, 0.8}
    assert (np.round(drawn, 6) == 0.5).mean() == pytest.approx(0.5, abs=0.05)
    rng = np.random.default_rng(0)
    by_concept = tuple(rng.random(size) for size in (10, 20, 30, 40))
    spread = replicates(WordValues(by_concept), Resampling(resamples=4000)).std()
    means = np.array([values.mean() for values in by_concept])
    expected = (means.var() + np.mean([values.var() / len(values) for values in by_concept])) / 4
    assert spread**2 == pytest.approx(expected, rel=0.1)


def test_an_interval_names_what_was_resampled_and_one_concept_has_none() -> None:
    several = grouped_value(absorption, WordValues((np.array([0.0, 1.0]), np.array([1.0, 1.0])), "kinds"), Resampling())
    assert several.value == 0.75
    assert several.ci_source == "kinds"
    assert several.n == 2
    one = grouped_value(absorption, WordValues((np.array([0.0, 1.0]),)), Resampling())
    assert one.value == 0.5
    assert one.ci_low is None
    assert "resampled" in str(one.ci_reason)


def letters(count: int, told: int) -> list[Letter]:
    return [Letter(chr(97 + n), saebench_words(case(n), LIMITS), 1 + n % 3, n < told) for n in range(count)]


def test_saebench_scores_are_means_and_deviations_over_the_letters_it_scores() -> None:
    found, table = saebench_metrics(letters(24, 22), Resampling()), letter_table(letters(24, 22))
    scored = table[table["told"]]
    pairs = {
        "absorption_fraction_score": "mean_absorption_fraction",
        "full_absorption_score": "full_absorption_rate",
        "num_split_features": "num_split_features",
    }
    for name, column in pairs.items():
        assert found[f"mean_{name}"].value == pytest.approx(scored[column].mean())
        assert found[f"std_dev_{name}"].value == pytest.approx(scored[column].std(ddof=1))
        assert found[f"mean_{name}"].n == 22
    assert found["mean_absorption_fraction_score_0_3"].value == pytest.approx(
        table["mean_absorption_fraction_0_3"].mean()
    )
    assert (table["num_full_absorption"] == table["full_absorption_rate"] * table["num_probe_true_positives"]).all()


def test_saebench_wants_twenty_letters_for_its_later_version_and_none_for_the_earlier() -> None:
    found = saebench_metrics(letters(24, 19), Resampling())
    null = {name for name, one in found.items() if one.value is None}
    assert null == set(found) - {"mean_absorption_fraction_score_0_3"}
    assert all("19 letters" in str(found[name].reason) for name in null)
    nothing = saebench_metrics([], Resampling())
    assert all(one.value is None for one in nothing.values())
