"""How much of latents is said by tokens: a latent that its token explains in full is a token detector.

Nothing here is good or bad by itself. A latent that tokens do not explain may follow context, or be noise; one that
they do explain needs no judge to be understood, and a dictionary of such latents says nothing that the embedding does
not. Read it beside autointerp: what a judge's score owes to tokens is seen here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric, metric
from mibench.metrics.sae.core_tables import columns_of
from mibench.metrics.sae.terms import Terms, metric_value
from mibench.records.record import MetricValue

LATENTS = "explained-latents"
"""One row per latent of the dictionary, columns `COLUMNS`."""
COLUMNS = (
    "latent", "live", "sampled", "fit_active", "held_active", "token_r2", "bigram_r2", "token_auc", "bigram_auc",
    "token_r2_null", "bigram_r2_null",
)  # fmt: skip
"""``live``: active on enough tokens of the fitted half; ``sampled``: drawn among these. ``fit_active``,
``held_active``: tokens of each half on which it is active (the latter NaN where it was not sampled). Then
`token_model.Explained`, and ``r2`` with activations permuted over the tokens of each half; NaN where undefined."""
_SCORES = COLUMNS[4:]
NOTHING = "no live latent varies on the held-out half"
NEVER = "no live latent is active on some tokens of the held-out half, and inactive on others"


@metric(name="explained_by_token", version=1, track="sae", unit="", higher_is_better=None, ceiling=1.0)
def explained_by_token(latents: Mapping[str, FloatArray]) -> Terms:
    """Held-out R² of latents from the token they stand at, mean over latents.

    ``max(0, 1 − Σ(f − p)² / Σ(f − m)²)`` over tokens of the half that nothing was fitted on: p the mean activation at
    the same token in the fitted half, shrunk to the latent's mean m there (`mibench.metrics.sae.token_model`). A latent
    that is predicted worse than by m, such as one that belongs to a document of the fitted half, counts as 0: its R²
    has no lower end, and a few would make up the mean. The floor is the same with each latent's activations permuted
    over the tokens of each half; the interval is over latents. Cost: some 20 ms a latent for 200,000 tokens.

    Range: [0, 1]. Neither end is better: 1 is a token detector. Source: mibench; shrinkage after
    MacKay and Peto 1995 (Nat. Lang. Eng. 1).
    """
    return _mean(_share(latents["token_r2"]), NOTHING)


@metric(name="explained_by_bigram", version=1, track="sae", unit="", higher_is_better=None, ceiling=1.0)
def explained_by_bigram(latents: Mapping[str, FloatArray]) -> Terms:
    """The same from the token and the one before it, shrunk to what the token alone predicts.

    Range: [0, 1]. Neither end is better: what it has above `explained_by_token` the previous token
    says. Source: as `explained_by_token`.
    """
    return _mean(_share(latents["bigram_r2"]), NOTHING)


@metric(name="active_by_token", version=1, track="sae", unit="", higher_is_better=None, floor=0.5, ceiling=1.0)
def active_by_token(latents: Mapping[str, FloatArray]) -> Terms:
    """Area under the ROC curve of `explained_by_token`'s prediction for whether a latent is active, mean over latents.

    The probability that a held-out token on which it is active has a higher prediction than one on which it is not;
    ties count a half. Range: [0, 1]. Neither end is better. Source: as `explained_by_token`.
    """
    return _mean(latents["token_auc"], NEVER)


@metric(name="active_by_bigram", version=1, track="sae", unit="", higher_is_better=None, floor=0.5, ceiling=1.0)
def active_by_bigram(latents: Mapping[str, FloatArray]) -> Terms:
    """The same with the prediction of `explained_by_bigram`.

    Range: [0, 1]. Neither end is better. Source: as `explained_by_token`.
    """
    return _mean(latents["bigram_auc"], NEVER)


@metric(name="too_rare_to_explain", version=1, track="sae", unit="", higher_is_better=False, floor=1.0, ceiling=0.0)
def too_rare(latents: Mapping[str, FloatArray]) -> Terms:
    """Share of all latents that are dead, or active on too few tokens of the fitted half to be explained.

    Depends on the number of tokens. Range: [0, 1]. Lower is better. Source: mibench; SAEBench (arXiv 2503.09532) asks
    for 15 tokens likewise.
    """
    return Terms(1.0 - latents["live"], "latents")


_MEANS: tuple[Metric[[Mapping[str, FloatArray]], Terms], ...] = (
    explained_by_token,
    explained_by_bigram,
    active_by_token,
    active_by_bigram,
    too_rare,
)
_NULLS = {"explained_by_token": "token_r2_null", "explained_by_bigram": "bigram_r2_null"}
"""Columns that floors are the means of."""


def explainability_metrics(
    tables: Mapping[str, pd.DataFrame], *, seed: int = 0, resamples: int = 2000
) -> dict[str, MetricValue]:
    """Return the metrics of the explainability family from the table `LATENTS`.

    Raises:
        DataError: The table is not usable.
    """
    latents, resampling = columns_of(tables[LATENTS], COLUMNS, gaps=_SCORES), Resampling(seed, resamples)
    found = {one.name: metric_value(one, one(latents), resampling) for one in _MEANS}
    for name, column in _NULLS.items():
        floor = _mean(_share(latents[column]), NOTHING).value
        found[name] = found[name].model_copy(update={"floor": floor})
    return found


def _share(r2: FloatArray) -> FloatArray:
    """R² as a share of what there is to explain: what is worse than the mean explains nothing."""
    return np.maximum(r2, 0.0)


def _mean(values: FloatArray, missing: str) -> Terms:
    """Over the latents that have a value."""
    return Terms(values[np.isfinite(values)], "latents", missing=missing)
