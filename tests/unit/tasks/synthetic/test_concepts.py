from __future__ import annotations

import numpy as np
import pytest

from mibench.tasks.synthetic.concepts import (
    KnownConcept,
    even_rows,
    frequent_sources,
    probing_concepts,
    sibling_groups,
    spurious_pairs,
)
from mibench.tasks.synthetic.hierarchy import NO_PARENT
from mibench.tasks.synthetic.recipe import Firing, Forest, Recipe, Spreading
from mibench.tasks.synthetic.truth import make_truth

RECIPE = Recipe(30, 8, Firing(0.6, 0.05), Forest(3, 4, 1), spreading=Spreading(steps=0))
FIRED = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)


@pytest.fixture(scope="module")
def truth():
    return make_truth(RECIPE)


@pytest.mark.parametrize(
    ("kind", "features", "expected"),
    [("single", (0,), [1, 1, 0, 0]), ("and", (0, 1), [1, 0, 0, 0]), ("or", (1, 2), [1, 0, 1, 0])],
)
def test_labels_say_what_fired(kind, features, expected):
    concept = KnownConcept(kind, features)
    assert concept.labels(FIRED).astype(int).tolist() == expected
    assert concept.name == "-".join([kind, *map(str, features)])


def test_concepts_are_of_features_that_are_neither_rare_relatives_nor_always_on(truth):
    found = probing_concepts(truth, 5)
    assert [one.kind for one in found] == ["single"] * 5 + ["and"] * 5 + ["or"] * 5
    assert len({one.name for one in found}) == 15
    for one in found:
        assert all(truth.parents[feature] == NO_PARENT for feature in one.features)
        assert all(truth.rates[feature] <= 0.5 for feature in one.features)
    assert 0 not in frequent_sources(truth)


def test_siblings_come_in_groups_of_one_parent_the_most_frequent_first(truth):
    groups = sibling_groups(truth)
    assert groups == [(3, 4, 5, 6), (7, 8, 9, 10), (11, 12, 13, 14)]


def test_spurious_pairs_share_no_feature_and_no_tree(truth):
    pairs = spurious_pairs(truth, 4)
    assert len(pairs) == 4
    assert len({one for pair in pairs for one in pair}) == 8
    assert all(truth.parents[one] == NO_PARENT for pair in pairs for one in pair)


def test_rows_are_even_over_cells_and_the_first_ones():
    cells = [np.array([1, 0, 1, 0, 1, 1], dtype=bool), np.array([0, 1, 0, 1, 0, 0], dtype=bool)]
    assert even_rows(cells, 10).tolist() == [0, 1, 2, 3]
    assert even_rows(cells, 1).tolist() == [0, 1]
    assert even_rows([cells[0], cells[1] & False], 3).tolist() == []
