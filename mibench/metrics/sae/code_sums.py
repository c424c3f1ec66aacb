"""Sums over samples of a dictionary's latents, the true codes, and both together: all that metrics of codes need."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.sae.matching import Ints


@dataclass(eq=False)
class CodeSums:
    """Sums that grow batch by batch, in float64. A latent fires where it is not 0, a feature likewise.

    Attributes:
        latents: Number of latents.
        features: Number of true features.
        n: Samples so far.
        latent_sum, latent_square, latent_fired: Of each latent ``[latents]``.
        code_sum, code_square, code_fired: Of each true feature ``[features]``.
        products: Of latent and code ``[latents, features]``.
        both: Samples in which both fire ``[latents, features]``.
    """

    latents: int
    features: int
    n: int = 0
    latent_sum: FloatArray = field(init=False)
    latent_square: FloatArray = field(init=False)
    latent_fired: Ints = field(init=False)
    code_sum: FloatArray = field(init=False)
    code_square: FloatArray = field(init=False)
    code_fired: Ints = field(init=False)
    products: FloatArray = field(init=False)
    both: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        self.latent_sum, self.latent_square = np.zeros(self.latents), np.zeros(self.latents)
        self.code_sum, self.code_square = np.zeros(self.features), np.zeros(self.features)
        self.latent_fired = np.zeros(self.latents, dtype=np.int64)
        self.code_fired = np.zeros(self.features, dtype=np.int64)
        self.products = np.zeros((self.latents, self.features))
        self.both = np.zeros((self.latents, self.features), dtype=np.int32)

    def add(self, latents: sp.csr_array, codes: sp.csr_array) -> None:
        """Add samples: ``[n, latents]`` and ``[n, features]``, zeros not stored."""
        found, true = latents.astype(np.float64), codes.astype(np.float64)
        self.n += found.shape[0]
        self.latent_sum += found.sum(axis=0)
        self.latent_square += found.power(2).sum(axis=0)
        self.latent_fired += np.bincount(found.indices, minlength=self.latents)
        self.code_sum += true.sum(axis=0)
        self.code_square += true.power(2).sum(axis=0)
        self.code_fired += np.bincount(true.indices, minlength=self.features)
        _add_at(self.products, sp.csr_array(found.T @ true))
        _add_at(self.both, sp.csr_array(_fired(found).T @ _fired(true)))

    def correlations(self) -> FloatArray:
        """Pearson correlation of each latent and code ``[latents, features]``; 0 where one of them never changes."""
        mean, true_mean = self.latent_sum / self.n, self.code_sum / self.n
        scale = np.sqrt(np.maximum(self.latent_square / self.n - mean**2, 0.0))
        true_scale = np.sqrt(np.maximum(self.code_square / self.n - true_mean**2, 0.0))
        found = self.products / self.n
        found -= mean[:, None] * true_mean
        found *= _inverse(scale, np.abs(mean))[:, None]
        found *= _inverse(true_scale, np.abs(true_mean))
        return np.asarray(np.clip(found, -1.0, 1.0))


def _inverse(scale: FloatArray, size: FloatArray) -> FloatArray:
    """1 over a standard deviation, 0 where it is 0 but for rounding."""
    real = scale > 1e-7 * size
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=real & (scale > 0))


def _fired(values: sp.csr_array) -> sp.csr_array:
    ones = np.ones(len(values.data), dtype=np.int32)
    return sp.csr_array((ones, values.indices, values.indptr), shape=values.shape)


def _add_at(total: NDArray[np.float64] | NDArray[np.int32], more: sp.csr_array) -> None:
    rows = np.repeat(np.arange(len(total)), np.diff(more.indptr))
    # Each place occurs once, so plain indexing adds all of it.
    total[rows, more.indices] += more.data
