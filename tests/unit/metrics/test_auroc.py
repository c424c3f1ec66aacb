from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mibench.core.errors import DataError
from mibench.metrics.auroc import auroc, average_precision


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


def test_perfect_reversed_and_constant_scores():
    labels = [False] * 40 + [True] * 5
    assert auroc(labels, np.arange(45)).value == 1.0
    assert auroc(labels, -np.arange(45)).value == 0.0
    assert auroc(labels, np.zeros(45)).value == 0.5
    assert average_precision(labels, np.arange(45)).value == 1.0
    assert average_precision(labels, np.zeros(45)).value == pytest.approx(5 / 45)


@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30))
def test_ranks_agree_with_counting_all_pairs(items):
    labels, scores = zip(*items, strict=True)
    if any(labels) and not all(labels):
        assert auroc(labels, scores).value == pytest.approx(naive_auroc(labels, scores), abs=1e-12)
        assert average_precision(labels, scores).value == pytest.approx(
            naive_average_precision(labels, scores), abs=1e-12
        )


@pytest.mark.parametrize("score", [auroc, average_precision])
@pytest.mark.parametrize(("label", "word"), [(True, "true"), (False, "false")])
def test_one_class_alone_gives_no_number_but_a_reason(score, label, word):
    detection = score([label] * 3, [1.0, 2.0, 3.0])
    assert detection.value is None
    assert f"every item is {word}" in detection.reason


def test_unscored_edges_at_minus_infinity_are_tied_last():
    scores = [-np.inf, -np.inf, 0.5, 0.1]
    assert auroc([False, True, True, False], scores).value == pytest.approx(2.5 / 4)
    assert average_precision([False, True, True, False], scores).value == pytest.approx(0.5 * 1 + 0.5 * 2 / 4)


@pytest.mark.parametrize("score", [auroc, average_precision])
@pytest.mark.parametrize(
    ("labels", "scores"),
    [([True], [1.0, 2.0]), ([], []), ([True, False], [np.nan, 1.0]), ([[True]], [[1.0]])],
)
def test_unusable_input_is_explained(score, labels, scores):
    with pytest.raises(DataError):
        score(labels, scores)
