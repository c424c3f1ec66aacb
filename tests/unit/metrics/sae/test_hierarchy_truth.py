from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from mibench.metrics.sae.absorption_truth import Families, absorption_truth
from mibench.metrics.sae.code_sums import CodeSums
from mibench.metrics.sae.hedging_truth import expected_maximum, hedging_truth
from mibench.metrics.sae.matching import cosines, match
from mibench.metrics.sae.relations import ancestors, lines, trees

# 0 is the parent of 1 and 2, 1 the parent of 3; 4 to 9 are by themselves.
PARENTS = np.array([-1, 0, 0, 1, -1, -1, -1, -1, -1, -1])
DIRECTIONS = np.eye(10)
FAMILIES = Families.of(PARENTS, DIRECTIONS)


def fired(n=60):
    """Samples in which a feature fires with all its ancestors."""
    codes = np.zeros((n, 10))
    for row in range(n):
        codes[row, [row % 10, *ancestors(PARENTS, row % 10)]] = 1
    return codes


def absorption(decoder, latents, codes, families=FAMILIES, directions=DIRECTIONS):
    similarity = cosines(decoder, directions)
    sums = CodeSums(len(decoder), codes.shape[1])
    sums.add(sp.csr_array(latents), sp.csr_array(codes))
    return absorption_truth(sums, similarity, match(similarity), families)


def absorbed(silence=1.0):
    """Latent 1 points to its parent too, and the parent's latent is silent in a share of the firings of feature 1."""
    decoder, codes = DIRECTIONS.copy(), fired()
    decoder[1] = (DIRECTIONS[0] + DIRECTIONS[1]) / 2**0.5
    latents = codes.copy()
    rows = np.flatnonzero(codes[:, 1])
    latents[rows[: round(silence * len(rows))], 0] = 0
    return decoder, latents, codes


def test_the_truth_absorbs_nothing():
    codes = fired()
    terms = absorption(DIRECTIONS, codes, codes)
    assert terms.value == 0
    assert terms.units == "pairs of features"
    assert len(terms.top) == 3


@pytest.mark.parametrize("silence", [0.0, 0.5, 1.0])
def test_an_absorbed_parent_is_found_in_the_pair_that_absorbs_it(silence):
    assert absorption(*absorbed(silence)).top.tolist() == pytest.approx([silence, 0, 0])


def test_a_parent_that_is_merely_missed_is_not_absorbed():
    _, latents, codes = absorbed()
    assert absorption(DIRECTIONS, latents, codes).value == 0


def test_directions_that_are_alike_by_themselves_are_not_absorption():
    directions = DIRECTIONS.copy()
    directions[1] = (DIRECTIONS[0] + DIRECTIONS[1]) / 2**0.5
    _, latents, codes = absorbed()
    families = Families.of(PARENTS, directions)
    assert families.kinship[1] == pytest.approx(0.5**0.5)
    assert absorption(directions, latents, codes, families, directions).value == 0


def test_only_pairs_of_which_both_are_found_are_counted():
    decoder, latents, codes = absorbed()
    terms = absorption(decoder[4:], latents[:, 4:], codes)
    assert (terms.value, terms.missing) == (None, "no parent and child are both matched by a cosine of .5 or more")
    alone = Families.of(np.full(10, -1), DIRECTIONS)
    assert absorption(decoder, latents, codes, alone).missing == "no true feature implies another"


def test_a_child_that_never_fires_in_the_sample_is_not_counted():
    codes = fired()
    codes[:, 3] = 0
    assert len(absorption(DIRECTIONS, codes, codes).top) == 2


def test_absorption_does_not_depend_on_order_and_scale_of_latents():
    decoder, latents, codes = absorbed(0.5)
    order = np.random.default_rng(0).permutation(10)
    scaled = absorption(3 * decoder[order], latents[:, order] / 3, codes)
    assert scaled.value == absorption(decoder, latents, codes).value


def test_lines_are_ancestors_and_descendants_and_trees_have_one_root():
    assert [one.tolist() for one in lines(PARENTS)] == [[1, 2, 3], [0, 3], [0], [0, 1], [], [], [], [], [], []]
    assert trees(PARENTS).tolist() == [0, 0, 0, 0, 4, 5, 6, 7, 8, 9]


def test_the_truth_does_not_hedge_and_a_mixture_does():
    assert hedging_truth(np.eye(10), PARENTS).value == 0
    mixed = np.eye(10)
    mixed[1] += 0.5 * np.eye(10)[0]
    found = hedging_truth(cosines(mixed, DIRECTIONS), PARENTS)
    assert found.top.tolist() == pytest.approx([0, 0.5 / 1.25**0.5, 0, 0])
    assert found.units == "latents"


def test_mixing_with_unrelated_features_is_not_hedging():
    mixed = np.eye(10)
    mixed[1] += 0.5 * np.eye(10)[7]
    assert hedging_truth(cosines(mixed, DIRECTIONS), PARENTS).value < 0


def test_random_rows_hedge_by_chance_only():
    generator = np.random.default_rng(0)
    parents = np.where(np.arange(300) < 200, np.arange(300) // 2 - 1, -1)
    parents[:2] = -1
    parents[2:200] = np.arange(198) // 3
    rows, directions = (generator.standard_normal((300, 40)) for _ in range(2))
    assert abs(hedging_truth(cosines(rows, directions), parents).value) < 0.03


def test_hedging_is_undefined_without_relatives():
    terms = hedging_truth(np.eye(4), np.full(4, -1))
    assert (terms.value, len(terms.top)) == (None, 0)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=7), st.data())
def test_the_expected_maximum_is_the_mean_over_all_draws(values, data):
    draws = data.draw(st.integers(1, len(values)))
    every = [max(some) for some in itertools.combinations(values, draws)]
    assert expected_maximum(np.array(values), draws) == pytest.approx(np.mean(every), abs=1e-9)
