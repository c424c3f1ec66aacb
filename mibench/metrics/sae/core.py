"""From the tables of the core family to its metrics: reconstruction, sparsity, density, and losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric
from mibench.metrics.sae import core_tables, decoder_geometry, density, loss_recovered, reconstruction
from mibench.metrics.sae.context_means import ContextMeans, ContextMetric, Measured, measure, scored
from mibench.metrics.sae.shrinkage import reconstruction_bias, shrinkage
from mibench.metrics.sae.sparsity import l0, l1
from mibench.records.record import MetricValue

LatentMetric = Metric[[FloatArray], float]
Floor = Callable[[ContextMeans], FloatArray]

OF_CONTEXTS: tuple[ContextMetric, ...] = (
    reconstruction.explained_variance_global,
    reconstruction.explained_variance_ordinary,
    reconstruction.fvu,
    reconstruction.mse,
    reconstruction.cosine,
    shrinkage,
    reconstruction_bias,
    l0,
    l1,
)
OF_LOSSES: tuple[ContextMetric, ...] = (
    loss_recovered.ce_recovered_zero,
    loss_recovered.ce_recovered_mean,
    loss_recovered.ce_recovered_resample,
    loss_recovered.kl_recovered_zero,
    loss_recovered.kl_recovered_mean,
    loss_recovered.kl_recovered_resample,
    loss_recovered.ce_increase,
    loss_recovered.kl_spliced,
)
OF_DENSITY: tuple[LatentMetric, ...] = (
    density.dead,
    density.density_over_1_percent,
    density.density_over_10_percent,
    density.density_lower_decile,
    density.density_median,
    density.density_upper_decile,
)
OF_DIRECTIONS: Mapping[str, LatentMetric] = {
    "decoder_mean_cosine": decoder_geometry.decoder_mean_cosine,
    "decoder_max_cosine": decoder_geometry.decoder_max_cosine,
    "encoder_decoder_cosine": decoder_geometry.encoder_decoder_cosine,
}
"""By the column that each is computed from."""
_FLOORS: Mapping[str, Floor] = {
    "mse": reconstruction.mse_floor,
    "ce_increase": loss_recovered.ce_increase_floor,
    "kl_spliced": loss_recovered.kl_floor,
}
"""Floors that the data give."""
NO_DIRECTION = "no latent has such a direction, or its encoder and decoder are of different places"
FIXED = "a dictionary has all its latents: there is nothing to draw anew"
NO_LOSSES = "losses were not measured: the task's ce_tokens is 0"
NOT_RESAMPLED = "how often each latent is active is counted over all tokens together"


def core_metrics(tables: Mapping[str, pd.DataFrame], *, seed: int = 0, resamples: int = 2000) -> dict[str, MetricValue]:
    """Return every metric of the core family.

    Intervals are over contexts, the same draws for all metrics of a table. What is undefined is null with the reason.

    Args:
        tables: `core_tables.CONTEXTS`, `core_tables.LATENTS`, and `core_tables.LOSSES` unless losses were left out.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.

    Raises:
        DataError: The tables are not usable.
    """
    resampling = Resampling(seed, resamples)
    contexts = core_tables.columns_of(tables[core_tables.CONTEXTS], core_tables.CONTEXT_COLUMNS)
    found = _scored(OF_CONTEXTS, measure(contexts, resampling))
    if core_tables.LOSSES in tables:
        wanted = core_tables.loss_columns(core_tables.ABLATIONS)
        losses = core_tables.columns_of(tables[core_tables.LOSSES], wanted)
        found |= _scored(OF_LOSSES, measure(losses, resampling))
    else:
        found |= {one.name: left_out(one, NO_LOSSES) for one in OF_LOSSES}
    return found | latent_metrics(tables[core_tables.LATENTS])


def latent_metrics(table: pd.DataFrame) -> dict[str, MetricValue]:
    """Return the metrics of a table of latents.

    Raises:
        DataError: The table is not usable.
    """
    gaps = ("mean_activation", "max_activation", *OF_DIRECTIONS)
    latents = core_tables.columns_of(table, core_tables.LATENT_COLUMNS, gaps=gaps)
    tokens = int(latents["tokens"][0])
    shares = latents["active"] / max(tokens, 1)
    found = {one.name: fixed(one, one(shares), tokens, NOT_RESAMPLED) for one in OF_DENSITY}
    directions = {
        one.name: fixed(one, one(latents[column]), len(table), FIXED) for column, one in OF_DIRECTIONS.items()
    }
    return found | directions


def fixed(declared: Metric[..., Any], value: float, n: int, why: str, *, missing: str = NO_DIRECTION) -> MetricValue:
    """Return a number that has no interval.

    Args:
        declared: The metric.
        value: Its value; NaN: there is none.
        n: What it rests on.
        why: Why there is no interval.
        missing: Why there is no value, where there is none.
    """
    there = bool(np.isfinite(value))
    return MetricValue(
        value=value if there else None,
        reason=None if there else missing,
        ci_reason=why if there else None,
        n=n,
        floor=declared.floor,
        ceiling=declared.ceiling,
        unit=declared.unit,
        higher_is_better=declared.higher_is_better,
        version=declared.version,
    )


def left_out(declared: Metric[..., Any], why: str) -> MetricValue:
    """Return a metric without a number."""
    return MetricValue(
        value=None,
        reason=why,
        floor=declared.floor,
        ceiling=declared.ceiling,
        unit=declared.unit,
        higher_is_better=declared.higher_is_better,
        version=declared.version,
    )


def _scored(metrics: tuple[ContextMetric, ...], measured: Measured) -> dict[str, MetricValue]:
    return {one.name: scored(one, measured, floor=_floor(one, measured)) for one in metrics}


def _floor(metric: ContextMetric, measured: Measured) -> FloatArray | None:
    return _FLOORS[metric.name](measured.sample) if metric.name in _FLOORS else None
