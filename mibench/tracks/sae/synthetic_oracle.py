"""The true dictionary with strong inference, which bounds recovery from above."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mibench.tasks.synthetic.samples import Sample
from mibench.tasks.synthetic.truth import Truth

Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]

_RIDGE = 1e-3
"""Share of the mean variance added to every entry's, before it is inverted."""
_CUTS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Shares of a feature's mean magnitude below which it is dropped; the best on the samples to fit by is taken."""
_ROUNDS = 6
_ROWS = 256
"""Samples at a time."""


class Oracle:
    """The directions of the true features, the most frequent ones where there are fewer latents, and their codes.

    Codes are found by sequentially thresholded least squares: the features most likely to fire, by the best linear
    estimate of each magnitude, are fitted together; those below a rising share of their mean magnitude are dropped and
    the rest fitted again. One layer of an encoder can hardly do as well.

    Attributes:
        rows: Unit rows ``[latents, width]``.

    Args:
        truth: The features.
        width: Number of latents; those beyond the features are left out.
        fit: Samples to estimate covariance and noise by, and to choose what is dropped.
    """

    def __init__(self, truth: Truth, width: int, fit: Sequence[Sample]) -> None:
        self._truth = truth
        self._chosen: Ints = np.sort(np.argsort(-truth.rates, kind="stable")[:width])
        self.rows: Float64 = truth.directions[self._chosen]
        self._means = truth.means[self._chosen]
        x = np.concatenate([sample.x for sample in fit]).astype(np.float64)
        self._encoder, self._offset = self._estimator(x)
        self._noise = self._variance(fit)
        self._cut = _CUTS[-1]
        self._cut = max(_CUTS, key=lambda cut: self._agreement(fit[0], cut))

    def codes(self, x: NDArray[np.float32]) -> Float64:
        """Magnitudes ``[n, latents]`` of activations ``[n, width]``."""
        blocks = [self._fitted(x[start : start + _ROWS], self._cut) for start in range(0, len(x), _ROWS)]
        return np.concatenate(blocks)

    def decode(self, codes: Float64) -> Float64:
        """Reconstruction ``[n, width]``."""
        return np.asarray(codes @ self.rows + self._truth.bias)

    def _estimator(self, x: Float64) -> tuple[Float64, Float64]:
        """Unbiased linear estimates of least variance: ``Σ⁻¹ d / (d·Σ⁻¹ d)`` and what is added to them."""
        covariance = np.cov(x, rowvar=False)
        ridge = _RIDGE * float(np.trace(covariance)) / len(covariance)
        solved = np.linalg.solve(covariance + ridge * np.eye(len(covariance)), self.rows.T)
        encoder = solved / np.einsum("nd,dn->n", self.rows, solved)
        expected = self._truth.rates[self._chosen] * self._means
        return encoder, expected - x.mean(axis=0) @ encoder

    def _variance(self, fit: Sequence[Sample]) -> Float64:
        """Mean squared error of the linear estimates ``[latents]``."""
        total = np.zeros(len(self.rows))
        for sample in fit:
            true = sample.codes[:, self._chosen].toarray()
            total += ((sample.x @ self._encoder + self._offset - true) ** 2).sum(axis=0)
        return np.asarray(total / sum(len(sample.x) for sample in fit))

    def _agreement(self, sample: Sample, cut: float) -> float:
        """F1 of what is found to fire, all features together."""
        found = np.concatenate([self._fitted(sample.x[i : i + _ROWS], cut) for i in range(0, len(sample.x), _ROWS)]) > 0
        true = sample.codes[:, self._chosen].toarray() > 0
        return 2 * float((found & true).sum()) / max(1.0, float(found.sum() + true.sum()))

    def _candidates(self, x: Float64) -> Ints:
        """Features most likely to fire: by the log odds of a normal estimate. ``[n, candidates]``."""
        rates = self._truth.rates[self._chosen]
        count = min(len(self.rows), max(1, x.shape[1] // 2), max(8, round(4 * self._truth.mean_active)))
        estimate = x @ self._encoder + self._offset
        odds = np.log(rates / (1 - rates)) + self._means * (2 * estimate - self._means) / (2 * self._noise)
        # Ordered, so that equal odds are cut by index.
        return np.argsort(-odds, axis=1, kind="stable")[:, :count]

    def _fitted(self, x: NDArray[np.float32], cut: float) -> Float64:
        chosen = self._candidates(x.astype(np.float64))
        rows, floor = self.rows[chosen], self._means[chosen]
        gram = rows @ rows.transpose(0, 2, 1)
        wanted = np.einsum("nkd,nd->nk", rows, x - self._truth.bias)
        kept = np.ones(chosen.shape, dtype=np.bool_)
        values = _least_squares(gram, wanted, kept)
        for share in np.linspace(0.0, cut, _ROUNDS):
            kept &= values > share * floor
            values = _least_squares(gram, wanted, kept)
        found = np.zeros((len(x), len(self.rows)))
        np.put_along_axis(found, chosen, np.where(kept, np.maximum(values, 0.0), 0.0), axis=1)
        return found


def _least_squares(gram: Float64, wanted: Float64, kept: NDArray[np.bool_]) -> Float64:
    """Coefficients of the rows kept, 0 of the others. ``[n, k, k]``, ``[n, k]``, ``[n, k]`` to ``[n, k]``."""
    places = np.arange(kept.shape[1])
    system = gram * (kept[:, :, None] & kept[:, None, :])
    system[:, places, places] += _RIDGE + ~kept
    return np.asarray(np.linalg.solve(system, (wanted * kept)[..., None])[..., 0])
