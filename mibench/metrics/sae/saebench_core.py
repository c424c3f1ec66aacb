"""SAEBench's ``core`` metrics under their own names, as 0.6.0 defines them: the convention ``saebench``.

What published numbers rest on is imitated, mistakes included: ablation sets the whole activation to zero, BOS too;
averages leave special tokens out, by the input token; ``l1`` is a sum without absolute values;
``explained_variance_legacy`` compares with the mean of a batch of 16 contexts, and ``explained_variance`` has a
denominator that is no variance. Not imitated: −1 for what is undefined (it is null), ``mse`` and the token counts;
means of batch ratios are ratios of sums; the divergence at the last position of a context is left out.
Source of all: Karvonen et al. 2025 (arXiv 2503.09532) and its evaluation code.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import Metric
from mibench.metrics.sae import core_tables, loss_recovered, reconstruction, shrinkage, sparsity
from mibench.metrics.sae.context_means import ContextMeans, ContextMetric, measure, scored
from mibench.metrics.sae.core import FIXED, NO_LOSSES, NOT_RESAMPLED, LatentMetric, fixed, left_out
from mibench.metrics.sae.decoder_geometry import decoder_max_cosine
from mibench.records.record import MetricValue

GROUP = 16
"""Contexts of a batch there, which ``explained_variance_legacy`` depends on."""
ENCODERS = "encoder_max_cosine"
"""Column of latents that only this convention needs."""
NOT_IMITATED = {
    "mse": "SAEBench divides by the number of tokens twice, so that its value depends on the batch size",
    "total_tokens_eval_reconstruction": "SAEBench counts special tokens, which are not scored here",
    "total_tokens_eval_sparsity_variance": "SAEBench counts special tokens, which are not scored here",
}
"""Names without a number, and why."""


def explained_variance(means: ContextMeans) -> FloatArray:
    """``1 − E‖x − x̂‖² / (E‖x‖² − m²)``, m the mean of all squared entries: not a variance. Near 1 for anything."""
    square, error = means.ratio("squared_target", "tokens"), means.ratio("squared_error", "tokens")
    entries = means.ratio("entries", "tokens")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(1.0 - error / (square - (square / entries) ** 2))


def explained_variance_legacy(means: ContextMeans) -> FloatArray:
    """Mean over tokens of ``1 − ‖x − x̂‖² / ‖x − μ_b‖²``, μ_b the mean of the batch."""
    return means.ratio(core_tables.LEGACY, "tokens")


def l1(means: ContextMeans) -> FloatArray:
    """Mean over tokens of ``Σf``."""
    return means.ratio("latent_sum", "tokens")


def _mean_of(column: str, name: str, unit: str, *, higher_is_better: bool | None) -> ContextMetric:
    def compute(means: ContextMeans) -> FloatArray:
        return means.ratio(column, "tokens")

    return Metric(compute, name, 1, "sae", unit, higher_is_better)


OF_CONTEXTS: tuple[ContextMetric, ...] = (
    Metric(explained_variance, "explained_variance", 1, "sae", "", higher_is_better=True),
    Metric(explained_variance_legacy, "explained_variance_legacy", 1, "sae", "", higher_is_better=True, ceiling=1.0),
    Metric(reconstruction.cosine.compute, "cossim", 1, "sae", "", higher_is_better=True, ceiling=1.0),
    _mean_of("target_norm", "l2_norm_in", "activation", higher_is_better=None),
    _mean_of("output_norm", "l2_norm_out", "activation", higher_is_better=None),
    Metric(shrinkage.shrinkage.compute, "l2_ratio", 1, "sae", "", higher_is_better=None),
    Metric(shrinkage.reconstruction_bias.compute, "relative_reconstruction_bias", 1, "sae", "", higher_is_better=None),
    Metric(sparsity.l0.compute, "l0", 1, "sae", "latents", higher_is_better=None),
    Metric(l1, "l1", 1, "sae", "activation", higher_is_better=None),
)
OF_LOSSES: tuple[ContextMetric, ...] = (
    Metric(loss_recovered.ce_recovered_zero.compute, "ce_loss_score", 1, "sae", "", higher_is_better=True, ceiling=1.0),
    _mean_of("ce_zero", "ce_loss_with_ablation", "nats", higher_is_better=None),
    _mean_of("ce", "ce_loss_with_sae", "nats", higher_is_better=False),
    _mean_of("ce_clean", "ce_loss_without_sae", "nats", higher_is_better=None),
    Metric(loss_recovered.kl_recovered_zero.compute, "kl_div_score", 1, "sae", "", higher_is_better=True, ceiling=1.0),
    _mean_of("kl_zero", "kl_div_with_ablation", "nats", higher_is_better=None),
    _mean_of("kl", "kl_div_with_sae", "nats", higher_is_better=False),
)


def frac_alive(density: FloatArray) -> float:
    """Share of latents that are active on some token."""
    return float((density > 0).mean())


def _over(threshold: float, name: str) -> LatentMetric:
    """Share of latents with a density above a threshold."""
    return Metric(lambda density: float((density > threshold).mean()), name, 1, "sae", "", higher_is_better=None)


def _firing_over(threshold: float, name: str) -> LatentMetric:
    """Share of all firing that is theirs."""

    def compute(density: FloatArray) -> float:
        total = float(density.sum())
        return float(density[density > threshold].sum()) / total if total > 0 else float("nan")

    return Metric(compute, name, 1, "sae", "", higher_is_better=None)


OF_DENSITY: tuple[LatentMetric, ...] = (
    Metric(frac_alive, "frac_alive", 1, "sae", "", higher_is_better=True, floor=0.0, ceiling=1.0),
    _over(0.01, "freq_over_1_percent"),
    _over(0.1, "freq_over_10_percent"),
    _firing_over(0.01, "normalized_freq_over_1_percent"),
    _firing_over(0.1, "normalized_freq_over_10_percent"),
)
OF_DIRECTIONS: Mapping[str, LatentMetric] = {
    ENCODERS: Metric(decoder_max_cosine.compute, "average_max_encoder_cosine_sim", 1, "sae", "", None),
    "decoder_max_cosine": Metric(decoder_max_cosine.compute, "average_max_decoder_cosine_sim", 1, "sae", "", None),
}
"""By the column that each is computed from."""


def saebench_metrics(
    tables: Mapping[str, pd.DataFrame], *, seed: int = 0, resamples: int = 2000
) -> dict[str, MetricValue]:
    """Return SAEBench's ``core`` metrics, from tables that were made under this convention.

    Args:
        tables: `core_tables.CONTEXTS` with `core_tables.LEGACY`, `core_tables.LATENTS` with `ENCODERS`, and
            `core_tables.LOSSES` unless losses were left out.
        seed: Of the bootstrap over contexts.
        resamples: Of the bootstrap.

    Raises:
        DataError: The tables are not usable.
    """
    resampling = Resampling(seed, resamples)
    names = (*core_tables.CONTEXT_COLUMNS, core_tables.LEGACY)
    contexts = measure(core_tables.columns_of(tables[core_tables.CONTEXTS], names), resampling)
    found = {one.name: scored(one, contexts) for one in OF_CONTEXTS}
    if core_tables.LOSSES in tables:
        columns = core_tables.columns_of(tables[core_tables.LOSSES], core_tables.loss_columns(("zero",)))
        losses = measure(columns, resampling)
        found |= {one.name: scored(one, losses) for one in OF_LOSSES}
    else:
        found |= {one.name: left_out(one, NO_LOSSES) for one in OF_LOSSES}
    missing = {name: MetricValue(value=None, reason=why) for name, why in NOT_IMITATED.items()}
    return found | _of_latents(tables[core_tables.LATENTS]) | missing


def _of_latents(table: pd.DataFrame) -> dict[str, MetricValue]:
    latents = core_tables.columns_of(table, ("tokens", "active", *OF_DIRECTIONS), gaps=OF_DIRECTIONS)
    tokens = int(latents["tokens"][0])
    density = latents["active"] / max(tokens, 1)
    silent = "no latent is ever active"
    found = {one.name: fixed(one, one(density), tokens, NOT_RESAMPLED, missing=silent) for one in OF_DENSITY}
    directions = {one.name: fixed(one, one(latents[name]), len(table), FIXED) for name, one in OF_DIRECTIONS.items()}
    return found | directions
