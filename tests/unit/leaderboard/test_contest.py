"""Equal rows tie, different rows do not: simulations whose answer is known, and a naive count of the same bound."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from mibench.leaderboard import contest as contests
from mibench.leaderboard.contest import Contender, Contest
from mibench.leaderboard.ranking import contested
from mibench.metrics.bootstrap import Resampling, resampled_means
from mibench.metrics.replicates import Replicates

RESAMPLES = 400
SIMULATIONS = 400


def contest(values: np.ndarray, *, resamples: int = RESAMPLES, seed: int = 0) -> Contest:
    """Rows whose number is the mean of a column of ``values`` ``[examples, rows]``, best first."""
    order = np.argsort(-values.mean(axis=0))
    replicates = resampled_means(values, Resampling(seed, resamples))
    usable = np.ones(resamples, dtype=np.bool_)
    examples = tuple(range(len(values)))
    return Contest(
        [
            Contender(
                f"row-{index}",
                float(values[:, index].mean()),
                0.1,
                Replicates.of(float(values[:, index].mean()), replicates[:, index], usable, examples),
            )
            for index in order
        ]
    )


def unpaired(values: list[float], half: float) -> Contest:
    return Contest([Contender(str(index), value, half, "seeds vary") for index, value in enumerate(values)])


@pytest.mark.parametrize(("rows", "examples"), [(2, 100), (10, 100), (25, 100), (10, 25)])
def test_equal_rows_all_tie_in_95_of_100_samples(rows: int, examples: int) -> None:
    rng = np.random.default_rng([rows, examples])
    separated = 0
    for _ in range(SIMULATIONS):
        shared = rng.normal(size=(examples, 1))
        found = contest(shared + rng.normal(size=(examples, rows)) * rng.uniform(0.2, 2, rows))
        separated += {rank.position for rank in contested(found)} != {1}
    # 5 % of 400 is 20; three standard errors more is 33.
    assert separated <= 0.05 * SIMULATIONS + 3 * np.sqrt(0.05 * 0.95 * SIMULATIONS)


def test_pairwise_intervals_would_separate_equal_rows() -> None:
    """The bound is needed: intervals of single pairs call the best of ten equal rows better in most samples."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(100):
        values = rng.normal(size=(100, 10))
        means = values.mean(axis=0)
        difference = values[:, means.argmax()] - values[:, means.argmin()]
        wrong += abs(difference.mean()) > 1.96 * difference.std() / 10
    assert wrong > 50


def test_a_difference_of_two_resolvable_units_is_found_in_80_of_100_samples() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(size=(100, 10))
    unit = contest(noise).resolution
    assert unit is not None
    shift = np.zeros(10)
    shift[0] = 2 * unit
    found = 0
    for _ in range(200):
        judged = contest(rng.normal(size=(100, 10)) + shift)
        places = {one.label: rank for one, rank in zip(judged.contenders, contested(judged), strict=True)}
        found += places["row-0"].position == 1 and all(places[f"row-{i}"].position > 1 for i in range(1, 10))
    assert found >= 160


def test_the_bound_is_the_quantile_of_the_largest_studentised_difference() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(2000, 4))
    found = contest(values, resamples=1000)
    columns = np.stack([one.replicates.replicates for one in found.contenders], axis=1)
    largest = np.zeros(len(columns))
    for i in range(4):
        for j in range(i):
            difference = columns[:, i] - columns[:, j]
            largest = np.maximum(largest, abs(difference - difference.mean()) / difference.std())
    bound = np.quantile(largest, 0.95) * (columns[:, 0] - columns[:, 1]).std()
    assert found.judge(0, 1).half == pytest.approx(bound, rel=5e-3)


def test_two_rows_with_many_examples_have_the_usual_interval() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(3000, 2))
    half = contest(values, resamples=4000).judge(0, 1).half
    assert half == pytest.approx(1.96 * (values[:, 0] - values[:, 1]).std() / np.sqrt(3000), rel=0.05)


def test_rows_on_other_examples_are_judged_by_their_own_intervals_corrected_for_the_number_of_pairs() -> None:
    found = unpaired([1.0, 0.5, 0.4], half=0.1)
    expected = norm.isf(0.05 / 3 / 2) / norm.isf(0.025) * np.hypot(0.1, 0.1)
    assert found.judge(0, 1).half == pytest.approx(expected)
    assert not found.judge(0, 1).tied
    assert found.judge(1, 2).tied
    assert found.resolution == pytest.approx(expected)


def test_a_mixture_shares_the_five_percent_by_pairs() -> None:
    values = np.random.default_rng(5).normal(size=(500, 3))
    paired = contest(values)
    mixed = Contest([*paired.contenders, Contender("other", -5.0, 0.1, "seeds vary")])
    assert mixed.judge(0, 1).half > paired.judge(0, 1).half
    assert mixed.judge(0, 3).how.startswith("unpaired")


def test_identical_rows_tie_and_constant_differences_do_not() -> None:
    column = np.random.default_rng(6).normal(size=50)
    found = contest(np.stack([column, column, column - 0.5], axis=1))
    assert [rank.position for rank in contested(found)] == [1, 1, 3]


def test_a_number_without_any_interval_is_separable_from_nothing() -> None:
    found = Contest([Contender("a", 1.0, 0.1, "seeds vary"), Contender("b", 0.0, None, "seeds vary")])
    assert found.judge(0, 1).tied
    assert found.judge(0, 1).half is None
    assert found.resolution is None


def test_rows_whose_replicates_have_gaps_are_compared_on_the_others() -> None:
    values = np.random.default_rng(7).normal(size=(200, 2)) + np.array([0.0, 1.0])
    whole = contest(values)
    first = whole.contenders[0]

    def with_gaps(n: int) -> Contest:
        gappy = first.replicates.replicates.copy()
        gappy[:n] = np.nan
        replicates = Replicates(first.value, gappy, first.replicates.n, first.replicates.draws)
        return Contest([Contender(first.label, first.value, 0.1, replicates), whole.contenders[1]])

    assert with_gaps(3).judge(0, 1).half == pytest.approx(whole.judge(0, 1).half, rel=0.05)
    assert "no value in 10 of 400 resamples" in with_gaps(10).judge(0, 1).how


def test_errors_and_largest_differences_are_those_of_a_loop_over_pairs() -> None:
    columns = np.random.default_rng(8).normal(size=(50, 6)) + np.arange(6)
    columns[:, 4] = columns[:, 1] + 3
    errors, largest = contests._studentised(columns)
    expected, most = np.zeros((6, 6)), np.zeros(50)
    for first in range(6):
        for second in range(6):
            difference = columns[:, second] - columns[:, first]
            expected[first, second] = difference.std()
            if difference.std() > 1e-9:
                most = np.maximum(most, np.abs(difference - difference.mean()) / difference.std())
    np.testing.assert_allclose(errors, expected, atol=1e-12)
    np.testing.assert_allclose(largest, most, rtol=1e-9)


def test_the_resolution_is_the_median_bound_of_all_pairs_of_both_kinds() -> None:
    shared = contest(np.random.default_rng(2).normal(size=(40, 4))).contenders
    mixed = Contest([*shared, *unpaired([0.5, 0.2], 0.3).contenders, Contender("bare", 0.1, None, "seeds vary")])
    halves = [mixed.judge(i, j).half for i in range(7) for j in range(i + 1, 7)]
    known = [half for half in halves if half is not None]
    assert len(known) == 15
    assert mixed.resolution == pytest.approx(np.median(known))
    assert Contest(mixed.contenders[-1:]).resolution is None
