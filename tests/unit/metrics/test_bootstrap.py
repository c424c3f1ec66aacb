from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mibench.metrics import bootstrap
from mibench.metrics.bootstrap import Resampling, percentile_interval, resampled_means, too_few
from mibench.metrics.faithfulness import denominator, faithfulness

ALL = np.ones(2000, dtype=bool)


def measured(rng, n):
    full, empty = rng.normal(3, 1, n), rng.normal(-1, 1, n)
    return full, empty, 0.6 * full + 0.4 * empty + rng.normal(0, 0.7, n)


def ratio(circuit, full, empty, axis=-1):
    return (circuit.mean(axis) - empty.mean(axis)) / (full.mean(axis) - empty.mean(axis))


def replicated_faithfulness(full, empty, circuit, resampling):
    means = resampled_means(np.column_stack([full, empty, circuit]), resampling)
    return faithfulness(means[:, 2:], means[:, 0], means[:, 1])[:, 0]


def test_replicates_are_means_over_draws_with_replacement_shared_by_all_columns():
    values = np.array([0.0, 1.0, 10.0])
    means = resampled_means(np.column_stack([values, 2 * values + 1]), Resampling(resamples=500))
    np.testing.assert_allclose(means[:, 1], 2 * means[:, 0] + 1, rtol=1e-12)
    possible = {round((a + b + c) / 3, 9) for a in values for b in values for c in values}
    assert {round(mean, 9) for mean in means[:, 0]} == possible


def test_the_draws_depend_on_the_seed_alone():
    values = np.random.default_rng(0).normal(size=(20, 2))
    first, same, other = (resampled_means(values, Resampling(seed, 50)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_chunks_bound_memory_and_leave_the_distribution_alone(monkeypatch):
    values = np.random.default_rng(0).normal(size=(30, 1))
    whole = resampled_means(values, Resampling())
    monkeypatch.setattr(bootstrap, "_DRAWS_PER_CHUNK", 700)
    chunked = resampled_means(values, Resampling())
    assert chunked.shape == whole.shape
    assert stats.ks_2samp(whole[:, 0], chunked[:, 0]).pvalue > 1e-3


def test_intervals_agree_with_scipy_within_monte_carlo_error():
    rng = np.random.default_rng(3)
    full, empty, circuit = measured(rng, 60)
    ours = percentile_interval(
        replicated_faithfulness(full, empty, circuit, Resampling(resamples=20_000)),
        np.ones(20_000, dtype=bool),
        0.95,
    )
    theirs = stats.bootstrap(
        (circuit, full, empty),
        ratio,
        paired=True,
        vectorized=True,
        n_resamples=20_000,
        method="percentile",
        rng=rng,
    )
    low, high = theirs.confidence_interval
    # The standard error of a 2.5 % quantile of 20,000 normal draws is 0.018 standard errors of the statistic.
    tolerance = 5 * 0.019 * theirs.standard_error
    assert ours.low == pytest.approx(low, abs=tolerance)
    assert ours.high == pytest.approx(high, abs=tolerance)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(11)
    hits = 0
    for seed in range(300):
        full, empty, circuit = measured(rng, 80)
        replicates = replicated_faithfulness(full, empty, circuit, Resampling(seed, 400))
        interval = percentile_interval(replicates, denominator(full, empty).usable(np.ones(400)), 0.95)
        hits += interval.low <= 0.6 <= interval.high
    assert 0.90 <= hits / 300 <= 0.98


def test_resampling_together_is_narrower_than_resampling_apart():
    rng = np.random.default_rng(5)
    full = rng.normal(3, 2, 100)
    together = resampled_means(np.column_stack([full, 0.9 * full]), Resampling())
    apart = resampled_means(0.9 * full[:, None], Resampling(seed=99))
    assert np.std(together[:, 1] / together[:, 0]) < 1e-12 < np.std(apart[:, 0] / together[:, 0])


def test_a_few_unusable_replicates_are_left_out_and_more_than_one_percent_give_no_interval():
    replicates = np.linspace(0, 1, 2000)
    few, many = ALL.copy(), ALL.copy()
    few[:20], many[:21] = False, False
    interval = percentile_interval(replicates, few, 0.95)
    assert interval.low == pytest.approx(np.quantile(replicates[20:], 0.025))
    assert percentile_interval(replicates, many, 0.95).low is None
    assert "21 of 2000" in percentile_interval(replicates, many, 0.95).reason


def test_values_that_are_not_finite_count_as_unusable():
    assert percentile_interval(np.full(2000, np.nan), ALL, 0.95).high is None


def test_one_example_has_no_interval():
    assert "1 example" in too_few(1).reason
    assert too_few(2) is None


def test_draws_that_are_kept_are_those_of_a_loop_and_cannot_be_changed():
    rng = np.random.default_rng(4)
    for n, resamples in ((7, 50), (7, 60), (9, 50)):
        values = rng.normal(size=(n, 3))
        generator = np.random.Generator(np.random.PCG64(5))
        draws = generator.integers(n, size=(resamples, n))
        expected = np.array([values[drawn].mean(axis=0) for drawn in draws])
        for _ in range(2):
            np.testing.assert_allclose(resampled_means(values, Resampling(5, resamples)), expected, rtol=1e-12)
    (counts,) = bootstrap._counts(7, Resampling(5, 50))
    with pytest.raises(ValueError, match="read-only"):
        counts[0, 0] = 3
