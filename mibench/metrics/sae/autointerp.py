"""How well a judge finds, from an explanation, where latents are active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mibench.core.errors import DataError
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.metric import Metric, metric
from mibench.metrics.sae.normalised import normalised
from mibench.metrics.sae.terms import Terms, metric_value
from mibench.records.record import MetricValue

JUDGEMENTS = "judgements"
"""One row per sampled latent: ``latent``, ``status``, ``why``, ``explanation``, ``raw_explanation`` and ``raw_answer``
(what the judge said, word for word), ``judge``."""
WINDOWS = "judged-windows"
"""One row per window shown: ``latent``, ``role`` (``explain``, ``detect``), ``place`` in the list, ``context``,
``start``, ``stop``, ``peak``, ``active``, ``answer`` (1, 0; NaN: none was read)."""
READ, UNREADABLE, NO_ANSWER, TOO_FEW = "read", "unreadable", "no answer", "too few windows"
STATUSES = (READ, UNREADABLE, NO_ANSWER, TOO_FEW)
CHANCE = 0.5
_UNJUDGED = "no live latent is active in enough held-out windows, and inactive in enough others"
_UNREAD = "no answer of the judge could be read"


@dataclass(frozen=True, eq=False)
class Judged:
    """Latents with what came of them.

    Attributes:
        status: One of `STATUSES`, ``[latents]``.
        positives: Share of the windows where a latent is active that the judge named, ``[latents]``; NaN: not read.
        negatives: Share of the others that it did not name, likewise.
    """

    status: np.ndarray
    positives: FloatArray
    negatives: FloatArray

    @property
    def asked(self) -> BoolArray:
        """Latents that the judge was asked about."""
        return np.asarray(self.status != TOO_FEW)

    @property
    def read(self) -> BoolArray:
        """Latents with an answer that was read."""
        return np.asarray(self.status == READ)


@metric(name="autointerp_balanced_accuracy", version=1, track="sae", unit="", higher_is_better=True, floor=0.5,
        ceiling=1.0)  # fmt: skip
def balanced_accuracy(judged: Judged) -> Terms:
    """Balanced accuracy of a judge that finds active windows from its explanation of a latent, mean over latents.

    ``(TPR + TNR) / 2`` over held-out windows, as many where the latent is active (one from each quantile of its
    activation) as where it is nowhere active. The explanation is made from windows of the other half of the text. A
    latent whose explanation or answer could not be read counts as .5: see `autointerp_unread`. A judge that always
    says the same, or answers at random, gets .5 whatever the latents are. The interval is over latents; the judge is
    one. Cost: two questions a latent.

    Range: [0, 1]. Higher is better. Source: detection scoring of Paulo et al. 2024 (arXiv 2410.13928); SAEBench
    (arXiv 2503.09532) takes plain accuracy, whose floor is .714.
    """
    values = np.where(judged.read, (judged.positives + judged.negatives) / 2, CHANCE)[judged.asked]
    usable = judged.read.any()
    return Terms(values if usable else values[:0], "latents", missing=_UNREAD if judged.asked.any() else _UNJUDGED)


@metric(name="autointerp_true_positives", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def true_positives(judged: Judged) -> Terms:
    """Share of the windows where a latent is active that the judge names, mean over latents with an answer.

    Range: [0, 1]. Higher is better, beside `autointerp_true_negatives`. Source: as `autointerp_balanced_accuracy`.
    """
    return _of_read(judged, judged.positives)


@metric(name="autointerp_true_negatives", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def true_negatives(judged: Judged) -> Terms:
    """Share of the windows where a latent is nowhere active that the judge leaves, mean over latents with an answer.

    Range: [0, 1]. Higher is better, beside `autointerp_true_positives`. Source: as `autointerp_balanced_accuracy`.
    """
    return _of_read(judged, judged.negatives)


@metric(name="autointerp_unread", version=1, track="sae", unit="", higher_is_better=False, floor=1.0, ceiling=0.0)
def unread(judged: Judged) -> Terms:
    """Share of the latents asked about whose explanation or answer did not come, or was not of the form asked for.

    Says how fit the judge is, not the dictionary. Range: [0, 1]. Lower is better. Source: mibench; SAEBench leaves such
    answers out.
    """
    return Terms((~judged.read[judged.asked]).astype(np.float64), "latents", missing=_UNJUDGED)


@metric(name="autointerp_left_out", version=1, track="sae", unit="", higher_is_better=None)
def left_out(judged: Judged) -> Terms:
    """Share of the sampled latents that are active, or inactive, in too few held-out windows to be asked about.

    Range: [0, 1]. Neither end is better. Source: mibench.
    """
    return Terms((~judged.asked).astype(np.float64), "latents", missing="no latent is live")


_METRICS: tuple[Metric[[Judged], Terms], ...] = (
    balanced_accuracy,
    true_positives,
    true_negatives,
    unread,
    left_out,
)


def autointerp_metrics(
    tables: Mapping[str, pd.DataFrame], *, seed: int = 0, resamples: int = 2000
) -> dict[str, MetricValue]:
    """Return the metrics of the autointerp family from the tables `JUDGEMENTS` and `WINDOWS`.

    Raises:
        DataError: The tables are not usable.
    """
    judged, resampling = judged_latents(tables[JUDGEMENTS], tables[WINDOWS]), Resampling(seed, resamples)
    return _with_normalised({one.name: metric_value(one, one(judged), resampling) for one in _METRICS})


def without_judge(why: str) -> dict[str, MetricValue]:
    """Return the same metrics without a number."""
    return _with_normalised({one.name: metric_value(one, Terms(np.zeros(0), "latents", missing=why), Resampling())
                             for one in _METRICS})  # fmt: skip


def judged_latents(judgements: pd.DataFrame, windows: pd.DataFrame) -> Judged:
    """Join the tables.

    Raises:
        DataError: A column is missing, a status unknown, or a latent that was read has no decisions of both kinds.
    """
    needed = {"latent", "status"} - set(judgements), {"latent", "role", "active", "answer"} - set(windows)
    if any(needed):
        raise _unusable(f"columns are missing: {', '.join(sorted(set().union(*needed)))}")
    status = judgements["status"].to_numpy(dtype=object)
    if not set(status) <= set(STATUSES):
        raise _unusable("it has an unknown status")
    decided = windows[(windows["role"] == "detect") & windows["answer"].notna()]
    active = decided["active"].astype(bool)
    right = (decided["answer"] == active).astype("float64")
    shares = [right[kind].groupby(decided["latent"][kind]).mean() for kind in (active, ~active)]
    positives, negatives = (np.asarray(one.reindex(judgements["latent"]), np.float64) for one in shares)
    found = Judged(status, positives, negatives)
    if np.isnan(positives[found.read]).any() or np.isnan(negatives[found.read]).any():
        raise _unusable("a latent that was read lacks decisions")
    return found


def _of_read(judged: Judged, values: FloatArray) -> Terms:
    return Terms(values[judged.read], "latents", missing=_UNREAD if judged.asked.any() else _UNJUDGED)


def _with_normalised(found: dict[str, MetricValue]) -> dict[str, MetricValue]:
    name = balanced_accuracy.name
    return found | {f"{name}_normalised": normalised(found[name])}


def _unusable(why: str) -> DataError:
    return DataError("A table of judgements cannot be read.", why=f"{why.capitalize()}.", do="Score again.")
