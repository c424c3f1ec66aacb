from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.metrics.truth.ranks import area_of_ranks, precision_at, precision_of_ranks

MEASURES = [area_of_ranks, precision_of_ranks, precision_at]
labelled = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30).filter(
    lambda items: 0 < sum(label for label, _ in items) < len(items)
)


def naive_auroc(labels, scores):
    pairs = [
        (t, f) for t, a in zip(scores, labels, strict=True) if a for f, b in zip(scores, labels, strict=True) if not b
    ]
    return sum((t > f) + 0.5 * (t == f) for t, f in pairs) / len(pairs)


def naive_average_precision(labels, scores):
    total, recall = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        kept = [label for label, score in zip(labels, scores, strict=True) if score >= threshold]
        total += (sum(kept) / sum(labels) - recall) * sum(kept) / len(kept)
        recall = sum(kept) / sum(labels)
    return total


def naive_precision(labels, scores):
    """Over every order of the items that keeps their scores descending."""
    n = sum(labels)
    orders = [
        one for one in permutations(range(len(labels))) if sorted(scores, reverse=True) == [scores[i] for i in one]
    ]
    return np.mean([sum(labels[i] for i in one[:n]) / n for one in orders])


def test_perfect_reversed_and_constant_scores():
    labels = [False] * 40 + [True] * 5
    assert area_of_ranks(labels, np.arange(45)).value == 1.0
    assert area_of_ranks(labels, -np.arange(45)).value == 0.0
    assert area_of_ranks(labels, np.zeros(45)).value == 0.5
    assert precision_of_ranks(labels, np.arange(45)).value == 1.0
    assert precision_of_ranks(labels, np.zeros(45)).value == pytest.approx(5 / 45)
    assert precision_at(labels, np.arange(45)).value == 1.0
    assert precision_at(labels, -np.arange(45)).value == 0.0
    assert precision_at(labels, np.zeros(45)).value == pytest.approx(5 / 45)


@given(labelled)
def test_ranks_agree_with_counting_all_pairs_and_thresholds(items):
    labels, scores = zip(*items, strict=True)
    assert area_of_ranks(labels, scores).value == pytest.approx(naive_auroc(labels, scores), abs=1e-12)
    assert precision_of_ranks(labels, scores).value == pytest.approx(naive_average_precision(labels, scores), abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_precision_at_the_number_of_true_items_is_the_mean_over_orders_of_ties(seed):
    rng = np.random.default_rng(seed)
    labels, scores = rng.permutation([True, True, False, False, False, True]), rng.integers(0, 3, 6)
    assert precision_at(labels, scores).value == pytest.approx(naive_precision(labels.tolist(), scores.tolist()))


@pytest.mark.parametrize("labels", [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 0]])
@pytest.mark.parametrize("measure", MEASURES)
def test_floors_are_the_means_over_all_orders(measure, labels):
    values = [
        measure(np.array(labels)[list(order)], np.arange(len(labels))).value
        for order in permutations(range(len(labels)))
    ]
    assert measure(labels, np.arange(len(labels))).floor == pytest.approx(np.mean(values), abs=1e-12)


@given(labelled, st.randoms(use_true_random=False))
def test_monotone_transforms_and_the_order_of_ties_move_nothing(items, random):
    labels, scores = zip(*items, strict=True)
    stretched = [np.exp(score) + 7 for score in scores]
    shuffled = list(zip(labels, scores, strict=True))
    random.shuffle(shuffled)
    for measure in MEASURES:
        value = measure(labels, scores).value
        assert measure(labels, stretched).value == pytest.approx(value, abs=1e-12)
        assert measure(*zip(*shuffled, strict=True)).value == pytest.approx(value, abs=1e-12)


@given(labelled)
def test_negated_scores_give_one_minus_the_area(items):
    labels, scores = zip(*items, strict=True)
    negated = [-score for score in scores]
    assert area_of_ranks(labels, negated).value == pytest.approx(1 - area_of_ranks(labels, scores).value, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("label", "word"), [(True, "true"), (False, "false")])
def test_one_class_alone_gives_no_number_but_a_reason(measure, label, word):
    detection = measure([label] * 3, [1.0, 2.0, 3.0])
    assert detection.value is None
    assert f"every item is {word}" in detection.reason


def test_unscored_edges_at_minus_infinity_are_tied_last():
    scores = [-np.inf, -np.inf, 0.5, 0.1]
    assert area_of_ranks([False, True, True, False], scores).value == pytest.approx(2.5 / 4)
    assert precision_of_ranks([False, True, True, False], scores).value == pytest.approx(0.5 * 1 + 0.5 * 2 / 4)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("labels", "scores"),
    [([True], [1.0, 2.0]), ([], []), ([True, False], [np.nan, 1.0]), ([[True]], [[1.0]])],
)
def test_unusable_input_is_explained(measure, labels, scores):
    with pytest.raises(DataError):
        measure(labels, scores)
