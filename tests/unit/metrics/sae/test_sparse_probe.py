"""k-sparse probes: what is planted is found, what is random is not, and the scored rows are looked at by no fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mibench.metrics.sae.clustered import accuracies, aucs
from mibench.metrics.sae.sparse_probe import (
    SAEBENCH_RULE,
    ProbeRule,
    SparseProbe,
    Split,
    best_features,
    class_difference,
    dense_probe,
    sparse_probes,
)

WIDTH, PLANTED = 200, 37


def labelled(seed: int = 0, rows: int = 600, planted: float = 3.0) -> tuple[np.ndarray, Split]:
    """Sparse random latents; one of them also fires with the label."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % 2 == 0)
    latents = np.maximum(rng.normal(size=(rows, WIDTH)) - 1.0, 0.0)
    latents[:, PLANTED] = np.where(labels, planted + 0.1 * rng.random(rows), 0.0) if planted else latents[:, PLANTED]
    part = np.split(np.arange(rows), [rows * 3 // 5, rows * 4 // 5])
    return latents.astype(np.float32), Split(part[0], part[1], part[2], labels)


def accuracy(probe: SparseProbe, latents: np.ndarray, split: Split) -> float:
    scores, labels = probe.scores(latents[split.scored])[:, None], split.labels[split.scored]
    return float(accuracies(np.ones((1, len(labels))), labels, scores)[0, 0])


def test_a_planted_latent_is_chosen_and_read_without_error() -> None:
    latents, split = labelled()
    for k, probe in sparse_probes(latents, split, (1, 2, 5), ProbeRule()).items():
        assert probe.columns[0] == PLANTED
        assert len(probe.columns) == k
        assert accuracy(probe, latents, split) == 1.0


def test_random_latents_stay_at_chance() -> None:
    found = []
    for seed in range(12):
        latents, split = labelled(seed, planted=0.0)
        found += [
            accuracy(probe, latents, split) for probe in sparse_probes(latents, split, (1, 5), ProbeRule()).values()
        ]
    # 24 scores on 120 rows each: the mean has a standard error near .01, and choosing on train must not move it.
    assert abs(np.mean(found) - 0.5) < 0.035


def test_the_scored_rows_change_no_probe() -> None:
    latents, split = labelled()
    one = sparse_probes(latents, split, (5,), ProbeRule())[5]
    labels, spoilt = split.labels.copy(), latents.copy()
    labels[split.scored] = ~labels[split.scored]
    spoilt[split.scored] += 7.0
    other = sparse_probes(spoilt, replace(split, labels=labels), (5,), ProbeRule())[5]
    assert np.array_equal(one.columns, other.columns)
    assert np.array_equal(one.linear.weights, other.linear.weights)
    assert one.strength == other.strength


def test_validation_tunes_but_is_not_fitted_on() -> None:
    latents, split = labelled()
    single = sparse_probes(latents, split, (5,), ProbeRule(strengths=(0.1,)))[5]
    labels = split.labels.copy()
    labels[split.validation] = ~labels[split.validation]
    same = sparse_probes(latents, replace(split, labels=labels), (5,), ProbeRule(strengths=(0.1,)))[5]
    assert np.array_equal(single.linear.weights, same.linear.weights)
    tuned = sparse_probes(latents, replace(split, labels=labels), (5,), ProbeRule(strengths=(1e-4, 10.0)))[5]
    assert tuned.strength == 1e-4


def test_the_unit_of_a_latent_does_not_matter() -> None:
    latents, split = labelled(planted=0.0)
    scale = np.exp2(np.arange(WIDTH) % 9 - 4).astype(np.float32)
    for k in (1, 5):
        one = sparse_probes(latents, split, (k,), ProbeRule())[k]
        other = sparse_probes(latents * scale, split, (k,), ProbeRule())[k]
        assert np.array_equal(one.columns, other.columns)
        assert np.allclose(one.scores(latents), other.scores(latents * scale))


def test_differences_agree_with_a_loop_and_constants_get_nothing() -> None:
    latents, split = labelled()
    latents[:, 3] = 1.5
    labels = split.labels
    for standardise in (True, False):
        found = class_difference(latents, labels, standardise=standardise)
        for column in (0, 3, PLANTED):
            values = latents[:, column].astype(np.float64)
            gap = abs(sum(values[labels]) / labels.sum() - sum(values[~labels]) / (~labels).sum())
            spread = np.sqrt(sum((values - values.mean()) ** 2) / len(values))
            wanted = gap if not standardise else gap / spread if spread else 0.0
            assert found[column] == pytest.approx(wanted, abs=1e-12)


def test_equal_features_are_taken_in_their_order() -> None:
    assert best_features(np.array([0.5, 2.0, 0.5, 2.0]), 3).tolist() == [1, 3, 0]
    assert best_features(np.array([0.5, 2.0]), 5).tolist() == [1, 0]


def test_latents_that_never_fire_give_a_probe_without_an_opinion() -> None:
    _, split = labelled()
    nothing = np.zeros((600, 4), dtype=np.float32)
    probe = sparse_probes(nothing, split, (2,), ProbeRule())[2]
    assert not probe.linear.weights.any()
    scores, labels = probe.scores(nothing[split.scored])[:, None], split.labels[split.scored]
    assert aucs(np.ones((1, len(labels))), labels, scores)[0, 0] == 0.5


def test_saebench_neither_scales_nor_tunes() -> None:
    latents, split = labelled()
    latents[:, 5] *= 1000
    probe = sparse_probes(latents, split, (1,), SAEBENCH_RULE)[1]
    assert probe.columns.tolist() == [5]
    assert (probe.strength, probe.scale.tolist(), probe.centre.tolist()) == (1.0, [1.0], [0.0])


def test_a_dense_probe_reads_everything() -> None:
    latents, split = labelled()
    probe = dense_probe(latents, split, ProbeRule())
    assert probe.columns.tolist() == list(range(WIDTH))
    assert accuracy(probe, latents, split) > 0.95
