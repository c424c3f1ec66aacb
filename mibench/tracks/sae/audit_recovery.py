"""What an audit can be made of: recovery of known features, and reconstruction and sparsity of the core family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mibench.metrics.metric import Metric
from mibench.metrics.sae import reconstruction
from mibench.metrics.sae.context_means import ContextMeans, ContextMetric
from mibench.metrics.sae.shrinkage import shrinkage
from mibench.metrics.sae.sparsity import l0, l1
from mibench.metrics.sae.synthetic_scores import RECOVERY, recovery_values
from mibench.tasks.synthetic.truth import Truth
from mibench.tracks.sae.audit import Numbers
from mibench.tracks.sae.candidate import Candidate
from mibench.tracks.sae.known_samples import KnownSamples, drawn
from mibench.tracks.sae.synthetic_source import TEST

CORE: tuple[ContextMetric, ...] = (
    reconstruction.explained_variance_global,
    reconstruction.fvu,
    reconstruction.mse,
    reconstruction.cosine,
    l0,
    l1,
    shrinkage,
)


class RecoveryMeasure:
    """Every metric of recovery, on new samples for each seed.

    Attributes:
        better: By name, whether higher is better.

    Args:
        truth: The features.
        samples: Samples of each scoring.
    """

    def __init__(self, truth: Truth, samples: int) -> None:
        self.better: Mapping[str, bool | None] = _directions(RECOVERY)
        self._truth, self._samples = truth, samples
        self._known: dict[int, KnownSamples] = {}

    def __call__(self, candidate: Candidate, seed: int) -> Numbers:
        """Hold the candidate against the truth."""
        if seed not in self._known:
            self._known[seed] = KnownSamples(self._truth, drawn(self._truth, self._samples, (TEST, seed)))
        return recovery_values(self._known[seed].evidence(candidate))


class CoreMeasure:
    """Metrics of the core family that need no model, each sample a context of one token.

    Attributes:
        better: By name, whether higher is better.

    Args:
        truth: The features.
        samples: Samples of each scoring.
    """

    def __init__(self, truth: Truth, samples: int) -> None:
        self.better: Mapping[str, bool | None] = _directions(CORE)
        self._truth, self._samples = truth, samples

    def __call__(self, candidate: Candidate, seed: int) -> Numbers:
        """Code new samples and average over them."""
        x = np.concatenate([one.x for one in drawn(self._truth, self._samples, (TEST, seed))])
        latents, rebuilt = candidate.codes(x)
        wide = x.astype(np.float64)
        norm, rebuilt_norm = np.linalg.norm(wide, axis=1), np.linalg.norm(rebuilt, axis=1)
        dot = np.einsum("nd,nd->n", wide, rebuilt)
        columns = {
            "tokens": np.ones(len(x)),
            "entries": np.full(len(x), x.shape[1]),
            "squared_error": ((wide - rebuilt) ** 2).sum(axis=1),
            "squared_deviation": ((wide - wide.mean(axis=0)) ** 2).sum(axis=1),
            "squared_target": norm**2,
            "squared_output": rebuilt_norm**2,
            "dot": dot,
            "target_norm": norm,
            "output_norm": rebuilt_norm,
            "norm_ratio": _ratio(rebuilt_norm, norm),
            "cosine": _ratio(dot, norm * rebuilt_norm),
            "active": (latents != 0).sum(axis=1),
            "absolute": np.abs(latents).sum(axis=1),
            "latent_sum": latents.sum(axis=1),
        }
        means = ContextMeans({name: np.asarray(column.mean()) for name, column in columns.items()})
        values = {one.name: float(one(means)) for one in CORE}
        return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _directions(metrics: Sequence[Metric[..., Any]]) -> dict[str, bool | None]:
    return {one.name: one.higher_is_better for one in metrics}


def _ratio(top: np.ndarray[Any, np.dtype[np.float64]], bottom: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
