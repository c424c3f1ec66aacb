"""Bootstrap over sources of data sets, then sets, then rows: sets of one source are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import BoolArray, FloatArray

_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class ScoredSet:
    """Rows of a labelled set with the scores of several probes.

    Attributes:
        name: Name of the set.
        source: Where its texts come from; sets of one source are resampled together.
        labels: Which rows are positive, some and not all. `[rows]`
        scores: Log odds that each probe gives. `[rows, probes]`
    """

    name: str
    source: str
    labels: BoolArray
    scores: FloatArray


def accuracies(counts: FloatArray, labels: BoolArray, scores: FloatArray) -> FloatArray:
    """Share of rows on whose label a probe's sign agrees, row i counted ``counts[:, i]`` times; 0 says negative.

    `[B, rows], [rows], [rows, probes] -> [B, probes]`
    """
    right = ((scores > 0) == labels[:, None]).astype(np.float64)
    return np.asarray(np.einsum("bn,np->bp", counts, right) / counts.sum(axis=1, keepdims=True))


def aucs(counts: FloatArray, labels: BoolArray, scores: FloatArray) -> FloatArray:
    """Area under the ROC curve, ties a half: P(positive above negative), row i counted ``counts[:, i]`` times.

    `[B, rows], [rows], [rows, probes] -> [B, probes]`
    """
    return np.stack([_auc(counts, labels, column) for column in scores.T], axis=1)


def _auc(counts: FloatArray, labels: BoolArray, scores: FloatArray) -> FloatArray:
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    positive = np.add.reduceat((counts * labels)[:, order], starts, axis=1)
    negative = np.add.reduceat((counts * ~labels)[:, order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    found: FloatArray = (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1))
    return found


def estimates(sets: Sequence[ScoredSet]) -> FloatArray:
    """Accuracies, then areas, of every probe, each a plain mean over sets. `[2 · probes]`."""
    return np.asarray(np.mean([_both(np.ones((1, len(one.labels))), one)[0] for one in sets], axis=0))


def replicates(sets: Sequence[ScoredSet], resampling: Resampling) -> FloatArray:
    """The same in every bootstrap replicate. `[resamples, 2 · probes]`.

    A replicate draws as many sources as there are, from each as many of its sets as it has, and from each set as many
    positive and negative rows as it has, all with replacement, and averages over the sets it drew. Rows of a set are
    drawn ``resamples`` times beforehand, and a replicate takes one of these at random whenever it draws the set.
    """
    generator = np.random.Generator(np.random.PCG64(resampling.seed))
    by_row = np.stack([_row_replicates(one, generator, resampling.resamples) for one in sets])
    names = sorted({one.source for one in sets})
    members = [np.flatnonzero([one.source == name for one in sets]) for name in names]
    found = np.empty((resampling.resamples, by_row.shape[2]))
    for index in range(resampling.resamples):
        drawn = _drawn_sets(members, generator)
        rows = generator.integers(resampling.resamples, size=len(drawn))
        found[index] = by_row[drawn, rows].mean(axis=0)
    return found


def _drawn_sets(members: Sequence[NDArray[np.int64]], generator: np.random.Generator) -> NDArray[np.int64]:
    sources = generator.integers(len(members), size=len(members))
    return np.concatenate([generator.choice(members[source], size=len(members[source])) for source in sources])


def _row_replicates(one: ScoredSet, generator: np.random.Generator, resamples: int) -> FloatArray:
    """`[resamples, 2 · probes]`."""
    size = max(1, _CELLS_AT_ONCE // len(one.labels))
    parts = [
        _both(_counts(one.labels, generator, min(size, resamples - start)), one) for start in range(0, resamples, size)
    ]
    return np.concatenate(parts)


def _counts(labels: BoolArray, generator: np.random.Generator, resamples: int) -> FloatArray:
    """How often each row is drawn; the two labels keep their numbers. `[resamples, rows]`."""
    counts = np.zeros((resamples, len(labels)))
    for rows in (np.flatnonzero(labels), np.flatnonzero(~labels)):
        draws = generator.integers(len(rows), size=(resamples, len(rows)))
        draws += len(rows) * np.arange(resamples)[:, None]
        counts[:, rows] = np.bincount(draws.ravel(), minlength=resamples * len(rows)).reshape(resamples, len(rows))
    return counts


def _both(counts: FloatArray, one: ScoredSet) -> FloatArray:
    """`[B, 2 · probes]`."""
    return np.hstack([accuracies(counts, one.labels, one.scores), aucs(counts, one.labels, one.scores)])
