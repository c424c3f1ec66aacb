"""Samples of known features, against which dictionaries are held."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.sae.absorption_truth import Families
from mibench.metrics.sae.code_sums import CodeSums
from mibench.metrics.sae.faithful_codes import SampleColumns
from mibench.metrics.sae.matching import cosines
from mibench.metrics.sae.synthetic_scores import Evidence
from mibench.tasks.synthetic.samples import Sample, Sampler
from mibench.tasks.synthetic.truth import Truth
from mibench.tracks.sae.candidate import Candidate

BATCH = 1024
"""Samples drawn and coded at a time."""


def drawn(truth: Truth, n: int, key: tuple[int, ...]) -> list[Sample]:
    """Return ``n`` samples in batches, fixed by the key and their places; more samples begin with the same ones."""
    sampler = Sampler(truth)
    return [sampler.draw(min(BATCH, n - start), (*key, start)) for start in range(0, n, BATCH)]


class KnownSamples:
    """Samples with their truth.

    Attributes:
        truth: The features.
        batches: The samples.

    Args:
        truth: The features.
        batches: Samples of them.
    """

    def __init__(self, truth: Truth, batches: Sequence[Sample]) -> None:
        self.truth, self.batches = truth, batches

    def evidence(self, candidate: Candidate) -> Evidence:
        """Hold a candidate against the truth."""
        truth, sums = self.truth, CodeSums(len(candidate.rows), len(self.truth.rates))
        columns = [_columns(sample, candidate, sums) for sample in self.batches]
        squared_error, l0, norms = (np.concatenate([one[part] for one in columns]) for part in range(3))
        deviation, norm, active = self._own
        return Evidence(
            cosines=cosines(candidate.rows, truth.directions, either_sign=candidate.either_sign),
            rates=truth.rates,
            families=self._families,
            sums=sums,
            samples=SampleColumns(squared_error, deviation, norm, norms, l0, active),
        )

    @cached_property
    def _families(self) -> Families:
        return Families.of(self.truth.parents, self.truth.directions)

    @cached_property
    def _own(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Squared distance of each sample from the mean, its norm, and the number of features in it."""
        x = np.concatenate([sample.x for sample in self.batches]).astype(np.float64)
        active = np.concatenate([np.diff(sample.codes.indptr) for sample in self.batches])
        return ((x - x.mean(axis=0)) ** 2).sum(axis=1), np.linalg.norm(x, axis=1), active.astype(np.float64)


def _columns(sample: Sample, candidate: Candidate, sums: CodeSums) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Add a batch to ``sums``; return squared error, number of latents that fire and norm of each reconstruction."""
    latents, rebuilt = candidate.codes(sample.x)
    codes = sp.csr_array(latents)
    sums.add(codes, sample.codes)
    error = ((sample.x.astype(np.float64) - rebuilt) ** 2).sum(axis=1)
    return error, np.diff(codes.indptr).astype(np.float64), np.linalg.norm(rebuilt, axis=1)
