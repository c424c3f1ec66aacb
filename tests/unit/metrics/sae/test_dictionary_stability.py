from __future__ import annotations

import numpy as np
import pytest

from mibench.core.errors import DataError
from mibench.metrics.sae.stability import decoder_correlation, matched_similarity, stability


def rows(count, width, seed):
    return np.random.default_rng(seed).standard_normal((count, width))


def test_the_same_dictionary_in_another_order_scale_and_sign_is_the_same():
    first = rows(30, 10, 0)
    second = (-first * np.exp(rows(30, 1, 1)))[np.random.default_rng(2).permutation(30)]
    found = stability([first, second])
    assert found["latents_shared_decoder"].value == 1
    assert found["latents_similarity_decoder"].value == pytest.approx(1)


def test_random_dictionaries_reach_their_floor():
    found = stability([rows(64, 64, seed) for seed in range(3)])
    for name in ("latents_shared_decoder", "latents_similarity_decoder"):
        assert found[name].value == pytest.approx(found[name].floor, abs=0.02)
        assert found[name].n == 3
        assert found[name].ci_reason
    assert found["latents_shared_decoder"].value < 0.05
    assert found["decoder_correlation"].value == pytest.approx(found["decoder_correlation"].floor, abs=0.01)


def test_half_the_latents_in_common_is_a_half():
    first = np.eye(8)
    second = np.concatenate([np.eye(8)[:4], np.ones((4, 8))])
    second[4:, :4] = 0
    found = stability([first, second])
    assert found["latents_shared_decoder"].value == 0.5
    assert found["latents_similarity_decoder"].value == pytest.approx((4 + 4 * 0.5) / 8)


def test_the_pairs_are_averaged_and_encoders_are_told_apart():
    first, second = np.eye(4), np.eye(4)[:, ::-1]
    other = np.full((4, 4), 0.5) * np.array([1, 1, 1, -1])
    found = stability([first, second, other], [first, first, first])
    assert found["latents_shared_decoder"].value == pytest.approx(1 / 3)
    assert found["latents_shared_encoder"].value == 1
    assert stability([first, second]).keys() == found.keys() - {"latents_shared_encoder", "latents_similarity_encoder"}


def test_a_narrow_dictionary_inside_a_wide_one_is_shared():
    wide = rows(20, 12, 0)
    assert matched_similarity(wide[:5], wide) == pytest.approx(np.ones(5))
    assert stability([wide[:5], wide])["latents_shared_decoder"].value == 1


def test_rows_alike_are_correlated_and_orthogonal_ones_are_not():
    assert decoder_correlation(np.eye(5)) == 0
    assert decoder_correlation(np.ones((5, 3))) == pytest.approx(1)
    assert decoder_correlation(np.array([[1.0, 0], [0, -2], [3, 0]])) == pytest.approx(1 / 3)
    assert decoder_correlation(np.ones((1, 3))) is None


def test_many_rows_agree_with_a_naive_mean():
    found = rows(1500, 6, 0)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    similarity = np.abs(unit @ unit.T)
    naive = similarity[~np.eye(1500, dtype=bool)].mean()
    assert decoder_correlation(found) == pytest.approx(naive)


@pytest.mark.parametrize("given", [[np.eye(3)], [np.eye(3), np.eye(4)], [np.eye(3), np.zeros((0, 3))], []])
def test_what_cannot_be_compared_is_refused(given):
    with pytest.raises(DataError, match="Stability"):
        stability(given)


def test_the_same_seed_gives_the_same_floor():
    pair = [rows(10, 5, 0), rows(10, 5, 1)]
    assert stability(pair, seed=3) == stability(pair, seed=3)
    assert stability(pair, seed=3) != stability(pair, seed=4)
