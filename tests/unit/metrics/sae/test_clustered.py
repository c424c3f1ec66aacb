"""Bootstrap over sources, sets and rows, against loops and distributions that are known."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.clustered import ScoredSet, accuracies, aucs, estimates, replicates


def scored(name: str, source: str, right: float, rows: int = 40) -> ScoredSet:
    """A set on which one probe is right with exactly this share of each label."""
    labels = np.arange(rows) % 2 == 0
    correct = (np.arange(rows) // 2) < right * rows / 2
    return ScoredSet(name, source, labels, np.where(labels == correct, 1.0, -1.0)[:, None])


def naive_auc(labels: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> float:
    rows = [row for row, count in enumerate(counts) for _ in range(int(count))]
    pairs = [
        (scores[a] > scores[b]) + 0.5 * (scores[a] == scores[b])
        for a in rows
        if labels[a]
        for b in rows
        if not labels[b]
    ]
    return float(np.mean(pairs))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 9), st.integers(1, 4))
def test_areas_and_accuracies_agree_with_counting(seed: int, rows: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % 2 == 0)
    scores = rng.integers(-levels, levels + 1, size=(rows, 2)).astype(float)
    counts = rng.integers(0, 3, size=(3, rows)).astype(float)
    counts[:, np.flatnonzero(labels)[0]] += 1
    counts[:, np.flatnonzero(~labels)[0]] += 1
    area, right = aucs(counts, labels, scores), accuracies(counts, labels, scores)
    for draw in range(3):
        for probe in range(2):
            assert area[draw, probe] == pytest.approx(naive_auc(labels, scores[:, probe], counts[draw]))
            says = scores[:, probe] > 0
            hits = sum(count for count, one, label in zip(counts[draw], says, labels, strict=True) if one == label)
            assert right[draw, probe] == pytest.approx(hits / counts[draw].sum())


def test_estimates_are_plain_means_over_sets() -> None:
    sets = [scored("a", "x", 1.0, rows=20), scored("b", "x", 0.5, rows=80), scored("c", "y", 0.0)]
    assert estimates(sets)[0] == pytest.approx(0.5)


def test_two_sources_without_inner_variation_give_a_binomial() -> None:
    sets = [scored("a", "x", 1.0), scored("b", "y", 0.0)]
    found = Counter(replicates(sets, Resampling(seed=1, resamples=4000))[:, 0].round(6).tolist())
    assert set(found) == {0.0, 0.5, 1.0}
    assert [found[value] / 4000 for value in (0.0, 0.5, 1.0)] == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_sets_of_one_source_go_together() -> None:
    together = [scored("a", "x", 1.0), scored("b", "x", 1.0), scored("c", "y", 0.0), scored("d", "y", 0.0)]
    apart = [ScoredSet(one.name, one.name, one.labels, one.scores) for one in together]
    spread = [replicates(sets, Resampling(resamples=3000))[:, 0].std() for sets in (together, apart)]
    # Two independent units against four: standard deviations .5/√2 and .5/√4.
    assert spread == pytest.approx([0.3536, 0.25], abs=0.015)


def test_sets_within_a_source_are_drawn_too() -> None:
    sets = [scored("a", "x", 1.0), scored("b", "x", 0.0)]
    assert replicates(sets, Resampling(resamples=3000))[:, 0].std() == pytest.approx(0.3536, abs=0.015)


def test_rows_are_drawn_within_their_label() -> None:
    sets = [scored("a", "x", 0.8, rows=100)]
    found = replicates(sets, Resampling(resamples=4000))[:, 0]
    assert found.mean() == pytest.approx(0.8, abs=0.005)
    assert found.std() == pytest.approx(np.sqrt(0.8 * 0.2 / 100), abs=0.003)


def test_probes_share_their_draws() -> None:
    one = scored("a", "x", 0.7)
    both = ScoredSet("a", "x", one.labels, np.hstack([one.scores, one.scores]))
    found = replicates([both, scored_twice("b", "y")], Resampling(resamples=200))
    assert np.array_equal(found[:, 0], found[:, 1])


def scored_twice(name: str, source: str) -> ScoredSet:
    one = scored(name, source, 0.4)
    return ScoredSet(name, source, one.labels, np.hstack([one.scores, one.scores]))


def test_the_same_seed_gives_the_same_bytes() -> None:
    sets = [scored("a", "x", 0.8), scored("b", "y", 0.6)]
    one, same, other = (replicates(sets, Resampling(seed=seed, resamples=100)) for seed in (3, 3, 4))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()
