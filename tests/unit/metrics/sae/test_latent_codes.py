from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.code_sums import CodeSums
from mibench.metrics.sae.faithful_codes import (
    SampleColumns,
    dead_in_sample,
    l0_gap,
    latent_slope,
    recovered_norm,
    recovered_variance,
)
from mibench.metrics.sae.latent_f1 import feature_f1, latent_f1, latent_precision, latent_recall
from mibench.metrics.sae.matching import match
from mibench.metrics.sae.recovery import mcc_codes
from mibench.metrics.sae.terms import Terms, metric_value


def sums_of(latents, codes, batch=7):
    found = CodeSums(latents.shape[1], codes.shape[1])
    for start in range(0, len(codes), batch):
        found.add(sp.csr_array(latents[start : start + batch]), sp.csr_array(codes[start : start + batch]))
    return found


def sparse(generator, n, width, rate=0.3):
    return generator.random((n, width)) * (generator.random((n, width)) < rate)


@pytest.fixture
def truth():
    return sparse(np.random.default_rng(0), 200, 6)


def by_code(sums):
    return match(np.abs(sums.correlations()))


def test_perfect_codes_are_perfect(truth):
    sums, matching = sums_of(truth, truth), match(np.eye(6))
    assert mcc_codes(by_code(sums)).value == pytest.approx(1)
    for one in (latent_precision, latent_recall, latent_f1):
        assert one(sums, np.eye(6)).value == 1
    assert feature_f1(sums, matching).value == 1
    assert latent_slope(sums, matching).value == pytest.approx(1)
    assert dead_in_sample(sums).value == 0


def test_order_and_scale_of_latents_do_not_change_which_is_which(truth):
    order, scale = np.array([3, 1, 0, 5, 4, 2]), np.array([2.0, 0.1, 1, 7, 3, 0.5])
    sums, similarity = sums_of((truth * scale)[:, order], truth), np.eye(6)[order]
    assert mcc_codes(by_code(sums)).value == pytest.approx(1)
    assert by_code(sums).latent.tolist() == np.argsort(order).tolist()
    assert latent_f1(sums, similarity).value == 1
    assert latent_slope(sums, match(similarity)).value == pytest.approx(scale.mean())


def test_f1_of_known_firings():
    truth = np.array([[1.0, 0], [1, 0], [1, 0], [0, 0], [0, 2]])
    latents = np.array([[5.0, 0], [5, 0], [0, 0], [5, 0], [0, 0]])
    sums = sums_of(latents, truth)
    assert latent_precision(sums, np.eye(2)).top.tolist() == [2 / 3, 0]
    assert latent_recall(sums, np.eye(2)).top.tolist() == [2 / 3, 0]
    assert latent_f1(sums, np.eye(2)).top.tolist() == [2 / 3, 0]
    assert feature_f1(sums, match(np.eye(2))).value == pytest.approx(1 / 3)
    assert dead_in_sample(sums).value == 0.5


def test_two_latents_of_one_feature_both_count_but_the_feature_counts_once(truth):
    doubled = np.concatenate([truth, truth[:, :1]], axis=1)
    similarity = np.concatenate([np.eye(6), np.eye(6)[:1]])
    sums = sums_of(doubled, truth)
    assert latent_f1(sums, similarity).value == 1
    assert len(latent_f1(sums, similarity).top) == 7
    assert len(feature_f1(sums, match(similarity)).top) == 6


def test_features_without_a_latent_have_no_f1_and_are_counted(truth):
    sums, similarity = sums_of(truth[:, :2], truth), np.eye(6)[:2]
    assert feature_f1(sums, match(similarity)).value == pytest.approx(2 / 6)
    assert latent_f1(sums, similarity).value == 1


def test_a_latent_that_never_changes_correlates_with_nothing(truth):
    latents = np.concatenate([np.full((200, 1), 0.1), np.zeros((200, 1)), truth[:, :1]], axis=1)
    found = sums_of(latents, truth).correlations()
    assert (found[:2] == 0).all()
    assert found[2, 0] == pytest.approx(1)


def test_half_the_magnitude_is_a_slope_of_a_half_and_a_feature_that_never_fires_has_none():
    truth = np.array([[1.0, 0], [3.0, 0], [0, 0]])
    sums = sums_of(truth / 2, truth)
    terms = latent_slope(sums, match(np.eye(2)))
    assert terms.top.tolist() == [0.5]
    silent = latent_slope(sums_of(truth * 0, truth * 0), match(np.eye(2)))
    assert (silent.value, silent.missing) == (None, "no matched feature fires")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), n=st.integers(3, 40), f=st.integers(1, 6), features=st.integers(1, 6))
def test_sums_over_batches_agree_with_a_naive_reference(seed, n, f, features):
    generator = np.random.default_rng(seed)
    latents, truth = sparse(generator, n, f), sparse(generator, n, features)
    sums = sums_of(latents, truth, batch=int(generator.integers(1, n + 1)))
    similarity = generator.standard_normal((f, features))
    assert sums.products == pytest.approx(latents.T @ truth)
    assert (sums.both == (latents > 0).T.astype(int) @ (truth > 0)).all()
    for j in range(f):
        best = int(np.argmax(similarity[j]))
        on, true = latents[:, j] > 0, truth[:, best] > 0
        hits = (on & true).sum()
        expected = 2 * hits / (2 * hits + (on & ~true).sum() + (~on & true).sum()) if (on | true).any() else 0
        assert latent_f1(sums, similarity).top[j] == pytest.approx(expected)
        for i in range(features):
            pair = latents[:, j], truth[:, i]
            usable = all(np.ptp(one) > 0 for one in pair)
            naive = np.corrcoef(*pair)[0, 1] if usable else 0
            assert sums.correlations()[j, i] == pytest.approx(naive, abs=1e-9)


def columns(x, rebuilt, l0=None, true_l0=None):
    n = len(x)
    return SampleColumns(
        squared_error=((x - rebuilt) ** 2).sum(1),
        deviation=((x - x.mean(0)) ** 2).sum(1),
        norm=np.linalg.norm(x, axis=1),
        reconstructed_norm=np.linalg.norm(rebuilt, axis=1),
        l0=np.zeros(n) if l0 is None else l0,
        true_l0=np.zeros(n) if true_l0 is None else true_l0,
    )


def test_variance_recovered_is_1_for_the_activation_and_0_for_its_mean():
    x = np.random.default_rng(0).standard_normal((50, 4)) + 3
    assert recovered_variance(columns(x, x)).value == 1
    assert recovered_variance(columns(x, np.broadcast_to(x.mean(0), x.shape))).value == pytest.approx(0)
    assert recovered_variance(columns(x, x * 0)).value < 0
    same = np.ones((5, 2))
    assert recovered_variance(columns(same, same)).missing == "all samples are the same"


def test_the_norm_of_a_sample_of_zeros_is_not_counted():
    x = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert recovered_norm(columns(x, np.array([[1.0, 0.0], [1.5, 2.0]]))).value == 0.5
    assert recovered_norm(columns(x * 0, x)).value is None


def test_the_l0_gap_tells_splitting_from_mixing():
    x = np.ones((2, 1))
    assert l0_gap(columns(x, x, np.array([5.0, 7.0]), np.array([4.0, 4.0]))).value == 2
    assert l0_gap(columns(x, x, np.array([1.0, 1.0]), np.array([4.0, 2.0]))).value == -2


def test_a_ratio_has_an_interval_over_its_units_and_none_where_it_is_undefined():
    terms = Terms(np.array([1.0, 0, 1, 0] * 25), "true features", np.array([2.0, 1, 2, 1] * 25))
    value = metric_value(latent_f1, terms, Resampling(0, 500))
    assert value.value == pytest.approx(50 / 150)
    assert value.ci_low < value.value < value.ci_high
    assert (value.ci_source, value.n, value.higher_is_better) == ("true features", 100, True)
    empty = metric_value(latent_f1, Terms(np.zeros(0), "latents", missing="there are none"), Resampling())
    assert (empty.value, empty.reason, empty.n) == (None, "there are none", 0)
    lonely = metric_value(latent_f1, Terms(np.ones(1), "latents"), Resampling())
    assert (lonely.value, lonely.ci_low, lonely.ci_reason) == (1, None, "1 example cannot be resampled")
