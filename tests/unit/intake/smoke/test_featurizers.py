"""Featurizers of models whose variables are known: right ones pass, and each usual mistake gets its own warning."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mibench.artifacts.featurizers.featurizers import featurizers_of
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import DataError
from mibench.intake.smoke.featurizers import MOST_SITES, _spread, featurizer_warning
from mibench.runner.cells.workbench import Workbench

MODEL, TASK = "planted-induction-gpt2", "planted-induction"
SITE, PLACE = "residual-post.L1@last", "answer.L1.last"


@cache
def bench():
    return Workbench.load(MODEL, dtype="float32", device="cpu", attention=None)


@cache
def rotation():
    """An orthonormal basis whose first columns span where the answer is known to be, and how many they are."""
    rows = bench().subspaces[PLACE].astype(np.float64)
    rest = np.random.default_rng(0).normal(size=(rows.shape[1], rows.shape[1] - len(rows)))
    basis, _ = np.linalg.qr(np.column_stack([rows.T, rest]))
    return basis, tuple(range(len(rows)))


def warning(operation, select, site=SITE, variable="answer"):
    found = featurizers_of({site: (operation, select)}, model=MODEL, task=TASK, variable=variable)
    return featurizer_warning(found, bench(), TASK, 10)


def test_the_true_subspace_passes():
    basis, first = rotation()
    assert warning(Operation("orthogonal", {"rotation": basis}), first) is None
    assert warning(Operation("orthogonal", {"rotation": basis[:, list(first)]}), "all") is None


def test_a_transposed_rotation_is_told():
    basis, first = rotation()
    found = warning(Operation("orthogonal", {"rotation": basis.T}), first)
    assert "it scores better with its rotation transposed (accuracy 1.00 instead of 0.00)" in found
    assert found.startswith("looks wrong: on 10 validation rows of planted-induction ")


def test_a_transposed_orthonormal_matrix_is_told_once():
    basis, first = rotation()
    found = warning(Operation("linear", {"weight": basis.T, "inverse": basis}), first)
    assert "with its rotation transposed" in found


def test_a_matrix_that_is_swapped_with_its_inverse_is_told():
    basis, first = rotation()
    skewed = basis @ (np.eye(len(basis)) + np.triu(np.random.default_rng(1).normal(size=basis.shape) / 32, 1))
    inverse = np.linalg.inv(skewed)
    assert warning(Operation("linear", {"weight": skewed, "inverse": inverse}), first) is None
    found = warning(Operation("linear", {"weight": inverse, "inverse": skewed}), first)
    assert "with weight and inverse swapped" in found or "with its rotation transposed" in found


def test_a_site_one_layer_too_low_is_told():
    basis, first = rotation()
    found = warning(Operation("orthogonal", {"rotation": basis}), first, site="residual-post.L0@last")
    assert "with every layer raised by one (accuracy 1.00 instead of 0.00)" in found


def test_a_site_one_layer_too_high_is_told():
    # After the second layer the answer has been read, and the query no longer matters.
    assert warning(Operation("identity"), "all", "residual-post.L0@last", "query") is None
    found = warning(Operation("identity"), "all", "residual-post.L1@last", "query")
    assert "with every layer lowered by one (accuracy 1.00 instead of 0." in found


def test_a_random_subspace_is_told():
    basis, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(256, 2)))
    found = warning(Operation("orthogonal", {"rotation": basis}), "all")
    assert "it is not better than doing nothing (0.00) (accuracy 0.00)" in found


def test_nothing_selected_is_told():
    assert "it is not better than doing nothing" in warning(Operation("identity"), ())


def test_a_model_that_solves_nothing_cannot_be_scored():
    found = featurizers_of({SITE: Operation("identity")}, model=MODEL, task="planted-carry", variable="carry")
    with pytest.raises(DataError):
        featurizer_warning(found, bench(), "planted-carry", 10)


def test_of_many_sites_some_are_tried_evenly():
    given = {f"residual-post.L{layer}@last": Operation("identity") for layer in range(40)}
    found = _spread(featurizers_of(given, model="m", task="t", variable="v").sites)
    layers = [one.site.layer for one in found]
    assert len(layers) == MOST_SITES
    assert (layers[0], layers[-1]) == (0, 39)
