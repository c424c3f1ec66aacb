"""Hedging with measured directions: known answers on planted members."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from mibench.metrics.sae.hedging import Members, hedging, member_directions

RNG = np.random.default_rng(0)


def test_a_members_direction_is_what_sets_it_apart_from_the_others_of_its_kind() -> None:
    x = RNG.normal(size=(12, 5))
    words, kinds = np.arange(12) // 2, np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2])
    found = member_directions(x, words, kinds)
    means = x.reshape(6, 2, 5).mean(1)
    assert found.kinds.tolist() == [0, 0, 0, 1, 1]
    for number, others in enumerate([[1, 2], [0, 2], [0, 1], [4], [3]]):
        apart = means[number] - means[others].mean(0)
        assert np.allclose(found.directions[number], apart / np.linalg.norm(apart))


def test_what_all_rows_of_a_kind_share_changes_no_direction() -> None:
    x, words, kinds = RNG.normal(size=(8, 5)), np.arange(8), np.arange(8) // 4
    shared = x + 10 * RNG.normal(size=(2, 5))[kinds]
    assert np.allclose(
        member_directions(x, words, kinds).directions, member_directions(shared, words, kinds).directions
    )


def test_hedging_is_the_largest_cosine_less_what_as_many_members_of_other_kinds_give() -> None:
    rows = RNG.normal(size=(9, 4))
    members = Members(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.array([0, 0, 1, 1, 1, 1, 1, 2, 2]))
    latents = np.eye(4)[:2]
    cosines = latents @ members.directions.T
    found = hedging(latents, np.array([0, 2]), members).top
    for value, row, own in zip(found, cosines, ([0, 1], [7, 8]), strict=True):
        others = [one for one in range(9) if one not in own]
        expected = np.mean([row[list(drawn)].max() for drawn in combinations(others, 2)])
        assert value == pytest.approx(row[own].max() - expected)


def test_chance_gives_0() -> None:
    rng = np.random.default_rng(1)
    values = []
    for _ in range(300):
        rows = rng.normal(size=(40, 16))
        latents = rng.normal(size=(8, 16))
        members = Members(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.arange(40) // 5)
        values.append(
            np.mean(hedging(latents / np.linalg.norm(latents, axis=1, keepdims=True), np.arange(8), members).top)
        )
    assert np.mean(values) == pytest.approx(0, abs=0.01)


def test_without_latents_or_with_too_few_other_members_there_is_no_number() -> None:
    members = Members(np.eye(4), np.array([0, 0, 0, 1]))
    assert hedging(np.zeros((0, 4)), np.zeros(0, dtype=np.int64), members).value is None
    assert hedging(np.eye(4)[:1], np.array([0]), members).value is None
    assert hedging(np.eye(4)[:1], np.array([2]), members).value is None
