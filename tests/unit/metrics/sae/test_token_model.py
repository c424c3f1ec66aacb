"""Predicting latents from tokens: planted latents, and a loop in float64 that leaves every token out by itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.metrics.sae.token_model import STRENGTHS, Grouping, explained, groupings

N, VOCAB = 8000, 12


def text(seed=0, n=N, vocab=VOCAB):
    rng = np.random.default_rng(seed)
    tokens = rng.integers(vocab, size=n)
    previous = np.concatenate([[-1], tokens[:-1]])
    return tokens, previous, np.arange(n) < n // 2


def scores(values, seed=0, n=N, vocab=VOCAB):
    tokens, previous, fit = text(seed, n, vocab)
    at = np.flatnonzero(values)
    return explained(groupings(tokens, previous, fit, ~fit), at, values[at])


def naive(values, tokens, previous, fit):
    """R² and area of both levels, every prediction by a loop over all fitted tokens."""
    fitted, held = np.flatnonzero(fit), np.flatnonzero(~fit)
    keys = [lambda at: (), lambda at: (tokens[at],), lambda at: (tokens[at], previous[at])]

    def predict(at, known, strengths):
        guess = values[known].mean() if len(known) else 0.0
        for key, strength in zip(keys[1:], strengths, strict=False):
            same = [values[one] for one in known if key(one) == key(at)]
            if np.isfinite(strength):
                guess = (sum(same) + strength * guess) / (len(same) + strength)
        return guess

    found, chosen = [], []
    for _ in range(2):
        errors = {
            strength: sum((values[at] - predict(at, fitted[fitted != at], [*chosen, strength])) ** 2 for at in fitted)
            for strength in STRENGTHS
        }
        chosen.append(min(reversed(STRENGTHS), key=errors.__getitem__))
        guesses = np.array([predict(at, fitted, chosen) for at in held])
        baseline = ((values[held] - values[fitted].mean()) ** 2).sum()
        active = values[held] != 0
        pairs = [(a > b) + (a == b) / 2 for a in guesses[active] for b in guesses[~active]]
        found.append((1 - ((values[held] - guesses) ** 2).sum() / baseline, np.mean(pairs) if pairs else np.nan))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_sums_over_groups_give_what_leaving_out_each_token_by_itself_gives(seed):
    tokens, previous, fit = text(seed, 90, 4)
    rng = np.random.default_rng(seed)
    # Rounded to eighths, so that predictions that are equal are so in both computations.
    values = np.round(8 * (rng.random(90) < 0.3 + 0.4 * (tokens == 1)) * rng.gamma(2.0, size=90)) / 8
    found = scores(values, seed, 90, 4)
    for one, (r2, auc) in zip(found, naive(values, tokens, previous, fit), strict=True):
        assert one.r2 == pytest.approx(r2, abs=1e-9)
        assert one.auc == pytest.approx(auc, abs=1e-9)


def test_a_token_detector_is_explained_by_its_token_alone():
    tokens, _, _ = text()
    token, bigram = scores(np.where(tokens == 3, 2.0, 0.0))
    assert token.r2 > 0.999
    assert bigram.r2 > 0.999
    assert token.auc == bigram.auc == 1.0


def test_a_bigram_detector_is_explained_by_both_tokens_only():
    tokens, previous, _ = text()
    token, bigram = scores(np.where((tokens == 3) & (previous == 5), 1.5, 0.0))
    assert token.r2 < 0.2
    assert bigram.r2 > 0.98
    assert bigram.auc == 1.0


def test_a_latent_that_follows_context_is_not_explained():
    tokens, _, _ = text()
    # Active after an even number of threes, counted over the last 50 tokens: neither token tells.
    parity = np.convolve(tokens == 3, np.ones(50))[: len(tokens)].astype(int) % 2
    token, bigram = scores(np.where(parity == 0, 1.0, 0.0))
    assert abs(token.r2) < 0.01
    assert abs(bigram.r2) < 0.05
    assert token.auc == pytest.approx(0.5, abs=0.05)


def test_permuted_activations_explain_nothing():
    tokens, previous, fit = text()
    rng = np.random.default_rng(1)
    levels = groupings(tokens, previous, fit, ~fit)
    shuffled = np.concatenate([rng.permutation(N // 2), N // 2 + rng.permutation(N // 2)])
    at = np.flatnonzero(tokens == 3)
    values = rng.gamma(2.0, size=len(at))
    plain, permuted = explained(levels, at, values), explained(levels, shuffled[at], values)
    assert plain[0].r2 > 0.5
    for one in permuted:
        assert abs(one.r2) < 0.01


def test_a_latent_that_never_varies_where_it_is_tested_has_no_number():
    tokens, _, fit = text()
    silent = scores(np.where(fit & (tokens == 3), 1.0, 0.0))
    assert all(np.isnan(one.r2) and np.isnan(one.auc) for one in silent)
    constant = scores(np.full(N, 0.7))
    assert all(np.isnan(one.r2) and np.isnan(one.auc) for one in constant)


def test_tokens_that_were_never_fitted_are_predicted_by_the_mean():
    tokens, previous = np.array([0, 0, 1, 1, 2, 2, 2, 0]), np.full(8, -1)
    fit = np.arange(8) < 4
    levels = groupings(tokens, previous, fit, ~fit)
    at = np.array([0, 1, 4, 5])
    (token, _) = explained(levels, at, np.array([1.0, 1.0, 1.0, 1.0]))
    # Token 0 is predicted as (2 + .25/2) / 2.25, token 2 as the mean 1/2; held out are 1, 1, 0 and, for token 0, 0.
    guess = (2 + 0.125) / 2.25
    assert token.r2 == pytest.approx(1 - (0.25 * 3 + guess**2) / 1.0)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 50.0))
def test_scale_and_the_names_of_tokens_do_not_matter(seed, scale):
    tokens, previous, fit = text(seed, 200, 5)
    rng = np.random.default_rng(seed)
    values = (rng.random(200) < 0.4) * rng.gamma(2.0, size=200)
    at = np.flatnonzero(values)
    names = rng.permutation(1000)[:6]
    one = explained(groupings(tokens, previous, fit, ~fit), at, values[at])
    other = explained(groupings(names[tokens], names[previous], fit, ~fit), at, scale * values[at])
    for a, b in zip(one, other, strict=True):
        assert a.r2 == pytest.approx(b.r2, abs=1e-8)
        assert 0 <= a.auc <= 1
        assert a.r2 <= 1


def test_a_pair_is_part_of_its_second_token():
    tokens, previous, fit = text(3, 300, 6)
    coarse, fine = groupings(tokens, previous, fit, ~fit)
    assert (fine.parent[fine.group] == coarse.group).all()
    assert isinstance(fine, Grouping)
    assert fine.fitted.sum() == coarse.fitted.sum() == fit.sum()
