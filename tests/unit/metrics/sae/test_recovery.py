from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.metrics.sae.matching import UNMATCHED, closest, cosines, match
from mibench.metrics.sae.recovery import (
    mcc_decoder,
    mmcs,
    recovery_at_90,
    recovery_at_90_weighted,
    splitting,
    uniqueness,
)

CHANCE = [
    # d, N, F, MMCS, MCC: |cos| of random unit rows.
    (16, 32, 32, 0.55, 0.53),
    (16, 32, 64, 0.60, 0.59),
    (64, 128, 128, 0.35, 0.33),
    (64, 512, 256, 0.37, 0.39),
    (64, 512, 1024, 0.41, 0.41),
    (128, 1024, 1024, 0.30, 0.29),
]


def unit(count, width, seed):
    rows = np.random.default_rng(seed).standard_normal((count, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def scores(decoder, directions, rates=None):
    found = cosines(decoder, directions)
    matching = match(found)
    rates = np.ones(len(directions)) if rates is None else rates
    terms = (
        mmcs(found),
        mcc_decoder(matching),
        recovery_at_90(matching),
        recovery_at_90_weighted(matching, rates),
        uniqueness(found),
        splitting(found),
    )
    return tuple(one.value for one in terms)


@pytest.mark.parametrize(("d", "n", "f", "max_cos", "matched"), CHANCE)
def test_random_dictionaries_reach_what_chance_gives(d, n, f, max_cos, matched):
    found = []
    draws = 3 if n > 200 else 12
    for seed in range(draws):
        similarity = cosines(unit(f, d, 2 * seed), unit(n, d, 2 * seed + 1), either_sign=True)
        matching = match(similarity)
        assert recovery_at_90(matching).value == 0
        found.append([one.value for one in (mmcs(similarity), mcc_decoder(matching), uniqueness(similarity))])
    # Rows that choose their feature at random, each by itself.
    unique = n / f * (1 - (1 - 1 / n) ** f)
    assert np.mean(found, axis=0) == pytest.approx([max_cos, matched, unique], abs=0.02)


def test_the_true_directions_are_perfect_in_any_order():
    directions = unit(20, 8, 0)
    for order in (np.arange(20), np.random.default_rng(1).permutation(20)):
        assert scores(directions[order], directions) == pytest.approx((1, 1, 1, 1, 1, 1))


def test_a_row_of_the_wrong_sign_is_a_miss_unless_codes_may_be_negative():
    directions = np.eye(3)
    assert scores(-directions, directions)[2] == 0
    assert recovery_at_90(match(cosines(-directions, directions, either_sign=True))).value == 1


def test_duplicates_are_found_by_the_unique_ones_and_by_the_matching_but_not_by_the_largest_cosine():
    directions = np.eye(4)
    doubled = np.concatenate([directions, directions[:2], directions[:2]])
    max_cos, matched, recovered, _, unique, split = scores(doubled, directions)
    assert (max_cos, matched, recovered) == (1, 1, 1)
    assert unique == 4 / 8
    assert split == 8 / 4
    only = np.stack([directions[0]] * 4)
    max_cos, matched, recovered, _, unique, split = scores(only, directions)
    assert (max_cos, matched, recovered, unique, split) == (0.25, 0.25, 0.25, 0.25, 4.0)


def test_two_merged_features_are_not_recovered():
    directions = np.eye(4)
    merged = np.array([[1.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    max_cos, matched, recovered, weighted, unique, _ = scores(merged, directions, np.array([5.0, 3.0, 1.0, 1.0]))
    assert max_cos == pytest.approx((2 + 2 * 0.5**0.5) / 4)
    assert matched == pytest.approx((2 + 0.5**0.5) / 3)
    assert recovered == 2 / 4
    assert weighted == 2 / 10
    assert unique == 1


def test_fewer_latents_than_features_count_against_recovery_not_against_the_matching():
    directions = np.eye(6)
    matching = match(cosines(directions[:2], directions))
    assert mcc_decoder(matching).value == 1
    assert len(mcc_decoder(matching).top) == 2
    assert recovery_at_90(matching).value == pytest.approx(2 / 6)
    assert matching.latent.tolist() == [0, 1, *[UNMATCHED] * 4]
    assert matching.matched.tolist() == [0, 1]


def test_a_latent_without_a_row_is_like_nothing():
    found = cosines(np.array([[0.0, 0.0], [1.0, 0.0]]), np.eye(2))
    assert found.tolist() == [[0, 0], [1, 0]]


def test_ties_go_to_the_first_feature():
    assert closest(np.array([[0.5, 0.5], [0.2, 0.2]])).tolist() == [0, 0]


def test_splitting_is_undefined_without_a_close_latent():
    terms = splitting(cosines(np.array([[1.0, 1, 1, 1]]), np.eye(4)))
    assert terms.value is None
    assert terms.missing == "no decoder row is within .7 of a feature"


def test_the_matching_is_the_best_of_all():
    similarity = np.random.default_rng(3).standard_normal((5, 4))
    best = max(sum(similarity[j, i] for i, j in enumerate(rows)) for rows in itertools.permutations(range(5), 4))
    matching = match(similarity)
    assert matching.similarity.sum() == pytest.approx(best)
    assert len(set(matching.latent.tolist())) == 4


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), width=st.integers(2, 12), f=st.integers(1, 12), n=st.integers(1, 12))
def test_order_and_length_of_rows_mean_nothing(seed, width, f, n):
    generator = np.random.default_rng(seed)
    decoder, directions = generator.standard_normal((f, width)), unit(n, width, seed)
    changed = (decoder * np.exp(generator.standard_normal((f, 1))))[generator.permutation(f)]
    for one, other in zip(scores(decoder, directions), scores(changed, directions), strict=True):
        assert one == (None if other is None else pytest.approx(other))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), width=st.integers(2, 12), f=st.integers(1, 12), n=st.integers(1, 12))
def test_numbers_stay_in_their_range_and_agree_with_a_naive_count(seed, width, f, n):
    decoder, directions = unit(f, width, seed), unit(n, width, seed + 1)
    max_cos, matched, recovered, weighted, unique, split = scores(decoder, directions)
    naive = [[float(sum(a * b for a, b in zip(w, d, strict=True))) for d in directions] for w in decoder]
    assert max_cos == pytest.approx(np.mean([max(row[i] for row in naive) for i in range(n)]))
    best = [max(range(n), key=lambda i, row=row: row[i]) for row in naive]
    assert unique == pytest.approx(len(set(best)) / f)
    close = [i for row, i in zip(naive, best, strict=True) if row[i] > 0.7]
    assert split == (pytest.approx(len(close) / len(set(close))) if close else None)
    assert -1 <= matched <= 1
    assert 0 <= recovered <= min(f, n) / n
    assert recovered == pytest.approx(weighted)
