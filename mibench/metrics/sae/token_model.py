"""Predicting a number at each token from the token and the one before: group means, shrunk to those of coarser groups.

A group is a token of the vocabulary, or a pair of them; pairs are parts of their second token. The prediction in a
group with n fitted tokens whose numbers sum to S is ``(S + κ·p) / (n + κ)``, p that of the coarser group, and at the
top the mean. κ is the one of `STRENGTHS` with the least squared error on the fitted tokens when each is predicted
without itself. Leaving a token with number f out changes every level's prediction to ``a − b·f``, which is linear in f:
``a = (S + κ·a_p) / (n − 1 + κ)``, ``b = (1 + κ·b_p) / (n − 1 + κ)``, so that the error needs sums over groups only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mibench.metrics.faithfulness import FloatArray

STRENGTHS = (0.25, 1.0, 4.0, 16.0, 64.0, np.inf)
"""Of the shrinkage: as many tokens does the coarser group count as; ∞: the finer group is not used."""

Ids = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Groups of tokens at one level.

    Attributes:
        group: Group of each token, ``[tokens]``.
        parent: The coarser group that each group is in, ``[groups]``; zeros at the coarsest level.
        fit: Which tokens are fitted, bool ``[tokens]``.
        held: Which are held out, bool ``[tokens]``.
    """

    group: Ids
    parent: Ids
    fit: NDArray[np.bool_]
    held: NDArray[np.bool_]

    @cached_property
    def fitted(self) -> FloatArray:
        """Fitted tokens of each group, ``[groups]``."""
        return self.sums(np.flatnonzero(self.fit))

    @cached_property
    def held_out(self) -> FloatArray:
        """Held-out tokens of each group, ``[groups]``."""
        return self.sums(np.flatnonzero(self.held))

    def sums(self, tokens: Ids, values: FloatArray | None = None) -> FloatArray:
        """Sum of values over tokens, or their number, in each group, ``[groups]``."""
        return np.bincount(self.group[tokens], values, len(self.parent)).astype(np.float64)


def groupings(tokens: Ids, previous: Ids, fit: NDArray[np.bool_], held: NDArray[np.bool_]) -> tuple[Grouping, Grouping]:
    """Group tokens by themselves, and by themselves and the one before.

    Args:
        tokens: Ids, ``[tokens]``.
        previous: Ids of those before, ``[tokens]``; −1: there is none.
        fit: Which are fitted.
        held: Which are held out.
    """
    _, token = np.unique(tokens, return_inverse=True)
    pairs, pair = np.unique(np.stack([token, previous], axis=1), axis=0, return_inverse=True)
    coarse = Grouping(token, np.zeros(int(token.max(initial=-1)) + 1, np.int64), fit, held)
    return coarse, Grouping(pair.reshape(-1), pairs[:, 0], fit, held)


@dataclass(frozen=True, eq=False)
class Predicted:
    """Predictions in each group of a level.

    Attributes:
        value: Prediction of a token that was not fitted, ``[groups]``.
        without: ``a`` of the module's docstring, ``[groups]``.
        own: ``b``, ``[groups]``.
    """

    value: FloatArray
    without: FloatArray
    own: FloatArray


@dataclass(frozen=True, eq=False)
class Explained:
    """How well one level predicts a latent on held-out tokens.

    Attributes:
        r2: ``1 − Σ(f − p)² / Σ(f − m)²``, m the fitted mean; NaN where the latent is never active there, or constant.
        auc: Probability that an active token has a higher prediction than one that is not, ties a half; NaN where all
            are active or none is.
    """

    r2: float
    auc: float


def explained(levels: tuple[Grouping, ...], tokens: Ids, values: FloatArray) -> list[Explained]:
    """Predict one latent at every level, coarse to fine.

    Args:
        levels: Groups, each level within the one before.
        tokens: Where the latent is active, ``[entries]``.
        values: Its activations there, ``[entries]``.
    """
    first = levels[0]
    fit, held = first.fit[tokens], first.held[tokens]
    fitted, held_out = (tokens[fit], values[fit]), (tokens[held], values[held])
    n = max(1.0, float(first.fit.sum()))
    mean, rest = float(fitted[1].sum()) / n, max(1.0, n - 1)
    whole = Predicted(*(np.array([number]) for number in (mean, mean * n / rest, 1 / rest)))
    found = []
    for level in levels:
        whole = _shrunk(level, whole, *fitted)
        found.append(_held_out(level, whole.value, mean, *held_out))
    return found


def _shrunk(level: Grouping, coarser: Predicted, tokens: Ids, values: FloatArray) -> Predicted:
    """Predictions of a level with the strength that is best on fitted tokens; of equals, the strongest."""
    n, above = level.fitted, Predicted(*(part[level.parent] for part in _fields(coarser)))
    total, active = level.sums(tokens, values), np.unique(level.group[tokens])
    squares, others = level.sums(tokens, values**2)[active], np.maximum(n - 1, 0)
    best, least = np.inf, np.inf
    for strength in reversed(STRENGTHS):
        without, own = _left_out(total, others, above, strength)
        # Where a latent is never active, only the last term is not 0.
        here = 1 + own[active]
        error = float((here**2 * squares - 2 * here * without[active] * total[active]).sum() + (n * without**2).sum())
        if error < least:
            best, least = strength, error
    if np.isinf(best):
        return above
    return Predicted((total + best * above.value) / (n + best), *_left_out(total, others, above, best))


def _left_out(
    total: FloatArray, others: FloatArray, above: Predicted, strength: float
) -> tuple[FloatArray, FloatArray]:
    """``a`` and ``b`` of the module's docstring, ``[groups]`` each."""
    if np.isinf(strength):
        return above.without, above.own
    scale = 1 / (others + strength)
    return (total + strength * above.without) * scale, (1 + strength * above.own) * scale


def _fields(predicted: Predicted) -> tuple[FloatArray, FloatArray, FloatArray]:
    return predicted.value, predicted.without, predicted.own


def _held_out(level: Grouping, predicted: FloatArray, mean: float, tokens: Ids, values: FloatArray) -> Explained:
    n, total, squares = level.held_out, level.sums(tokens, values), float((values**2).sum())
    baseline = squares - 2 * mean * float(values.sum()) + float(n.sum()) * mean**2
    error = squares - 2 * float((predicted * total).sum()) + float((n * predicted**2).sum())
    active = level.sums(tokens)
    usable = len(values) > 0 and baseline > 1e-12 * max(squares, float(n.sum()) * mean**2)
    return Explained(1 - error / baseline if usable else np.nan, _auc(predicted, active, n - active))


def _auc(scores: FloatArray, positive: FloatArray, negative: FloatArray) -> float:
    """Area under the ROC curve of groups with a score each, ``[groups]``; ties count a half."""
    pairs = float(positive.sum()) * float(negative.sum())
    if pairs == 0:
        return float("nan")
    _, place = np.unique(scores, return_inverse=True)
    above, below = np.bincount(place, positive), np.bincount(place, negative)
    return float((above * (np.cumsum(below) - below / 2)).sum()) / pairs
