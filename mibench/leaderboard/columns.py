"""What the tables show: a column is one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from mibench.core.specs import Track
from mibench.leaderboard import text
from mibench.metrics.metric import METRICS
from mibench.records.record import Cost


@dataclass(frozen=True)
class Column:
    """A metric to show.

    Attributes:
        metric: Its name in the records.
        title: Heading.
        digits: Decimals.
        headline: Whether rows are ranked by it; a table is sorted by its first headline. In the SAE track, whether
            families have an area of it.
        exact: Whether it is a count, which has no interval.
        overshoots: Whether it goes on beyond its best value, so that neither more nor less is better by itself.
        declared: Name that the registry has it under, where the name in records carries a number.
    """

    metric: str
    title: str
    digits: int = 3
    headline: bool = False
    exact: bool = False
    overshoots: bool = False
    declared: str = ""

    @property
    def known(self) -> bool:
        """Whether the metric is registered."""
        return (self.declared or self.metric) in METRICS.components

    @property
    def higher_is_better(self) -> bool | None:
        """Direction that the metric declares; None where neither end is better, or it is not registered."""
        component = METRICS.components.get(self.declared or self.metric)
        return component.metadata.get("higher_is_better") if component else None

    @property
    def doc(self) -> str:
        """First line of the metric's documentation."""
        component = METRICS.components.get(self.declared or self.metric)
        return component.doc if component else ""


@dataclass(frozen=True)
class CostColumn:
    """A cost to show.

    Attributes:
        name: Its name in the CSV table.
        title: Heading.
        doc: What it counts.
        read: The amount of one record.
        show: The amount as text.
    """

    name: str
    title: str
    doc: str
    read: Callable[[Cost], float | None]
    show: Callable[[float], str]


def _passes(cost: Cost) -> float | None:
    return (cost.forward_passes + cost.backward_passes) / cost.examples if cost.examples else None


_OF_SITES = (
    Column("iia_average", "MIB average", headline=True),
    Column("iia_highest", "MIB highest"),
    Column("isolate", "Isolate"),
    Column("disentangle", "Disentangle"),
    Column("selectivity", "Selectivity"),
    Column("site_auroc", "True sites"),
    Column("subspace_overlap", "True subspace"),
    Column("n_parameters", "Parameters", digits=0, exact=True),
)

LINEAR_COLUMNS = (
    Column("explained_variance", "Explained variance", headline=True),
    Column("explained_variance_joint", "Joint"),
    Column("explained_variance_single", "Best single"),
    Column("mse_average", "MIB MSE", headline=True),
    Column("normalised_iia", "Normalised IIA"),
    *_OF_SITES[2:],
)
"""Columns of the variable track where the task has a linear target."""

_PROBING = (
    Column("probe_accuracy_k1", "Probe, 1 latent", headline=True, declared="probe_accuracy_k"),
    Column("probe_accuracy_k5", "Probe, 5 latents", headline=True, declared="probe_accuracy_k"),
    Column("probe_gap_raw_k1", "− 1 neuron", headline=True, declared="probe_gap_raw_k"),
    Column("probe_gap_raw_k5", "− 5 neurons", declared="probe_gap_raw_k"),
    Column("probe_gap_frozen_k5", "− frozen decoder", headline=True, declared="probe_gap_frozen_k"),
    Column("probe_gap_dense", "− whole activation"),
)
_CAUSAL = (
    Column("disentangle_err", "Disentangle", headline=True),
    Column("cause_err", "Cause"),
    Column("isolate_err", "Isolate"),
    Column("disentangle_gap_random", "− random latents", headline=True),
    Column("disentangle_gap_oracle", "− supervised"),
    Column("explained_variance_rows", "Explained variance there"),
    Column("latents_swapped", "Latents", digits=1),
)
_FAULTS = (
    Column("absorption", "Absorption", headline=True),
    Column("absorption_fraction", "Absorbed share"),
    Column("absorption_splits", "Splits", digits=1),
    Column("hedging", "Hedging", headline=True),
    Column("explained_by_token", "Explained by token"),
    Column("explained_by_bigram", "Explained by bigram"),
    Column("latents_shared", "Latents shared by seeds", headline=True),
    Column("latents_similarity", "Similarity of seeds"),
)
_AUTOINTERP = (
    Column("autointerp_balanced_accuracy", "Autointerp"),
    Column("autointerp_true_positives", "True positives"),
    Column("autointerp_true_negatives", "True negatives"),
    Column("autointerp_unread", "Answers unread"),
)
_SYNTHETIC = (
    Column("mcc_decoder", "MCC", headline=True),
    Column("recovery_at_90", "Recovery at .9", headline=True),
    Column("latent_f1", "Latent F1", headline=True),
    Column("recovered_variance", "Explained variance", headline=True),
    Column("absorption_truth", "Absorption"),
    Column("hedging_truth", "Hedging"),
    Column("uniqueness", "Uniqueness"),
    Column("l0_gap", "L0 − true L0", digits=2),
    Column("dead_in_sample", "Dead"),
)
_OF_SAEBENCH = (
    Column("ce_loss_score", "ce_loss_score", headline=True),
    Column("kl_div_score", "kl_div_score"),
    Column("explained_variance_legacy", "explained_variance_legacy", headline=True),
    Column("frac_alive", "frac_alive"),
    Column("sae_top_1_test_accuracy", "sae_top_1_test_accuracy", headline=True, declared="sae_top_k_test_accuracy"),
    Column("sae_top_5_test_accuracy", "sae_top_5_test_accuracy", headline=True, declared="sae_top_k_test_accuracy"),
    Column("mean_absorption_fraction_score", "mean_absorption_fraction_score", headline=True),
    Column("mean_full_absorption_score", "mean_full_absorption_score"),
    Column("disentanglement_score", "disentanglement_score", headline=True),
    Column("cause_score", "cause_score"),
    Column("isolation_score", "isolation_score"),
    Column("scr_metric_threshold_10", "SCR, 10 latents (fails audit)", declared="scr_metric_threshold_n"),
    Column("scr_metric_threshold_50", "SCR, 50 latents (fails audit)", declared="scr_metric_threshold_n"),
    Column("tpp_threshold_10_total_metric", "TPP, 10 latents (fails audit)", declared="tpp_threshold_n_total_metric"),
    Column("tpp_threshold_50_total_metric", "TPP, 50 latents (fails audit)", declared="tpp_threshold_n_total_metric"),
)

COLUMNS: Mapping[Track, tuple[Column, ...]] = MappingProxyType(
    {
        Track.CIRCUIT: (
            Column("distance_absolute", "Distance", headline=True),
            Column("cmd", "CMD", headline=True),
            Column("cpr", "CPR", overshoots=True),
            Column("accuracy_area_absolute", "Accuracy"),
            Column("kl_faithfulness_absolute", "KL kept"),
            Column("auroc", "AUROC"),
            Column("auroc_heads", "AUROC by head"),
            Column("average_precision", "Average precision"),
        ),
        Track.VARIABLE: (
            Column("normalised_iia", "Normalised IIA", headline=True),
            *_OF_SITES,
        ),
        Track.SAE: (
            Column("l0", "L0", digits=1),
            Column("explained_variance_global", "Explained variance", headline=True),
            Column("explained_variance_ordinary", "Explained variance, ordinary tokens", headline=True),
            Column("ce_recovered_mean", "CE recovered, mean", headline=True),
            Column("ce_recovered_zero", "CE recovered, zero"),
            Column("kl_recovered_mean", "KL recovered, mean"),
            Column("shrinkage", "Shrinkage (1: none)"),
            Column("dead", "Dead"),
            *_PROBING,
            *_CAUSAL,
            *_FAULTS,
            *_AUTOINTERP,
            *_SYNTHETIC,
            *_OF_SAEBENCH,
        ),
    }
)
"""Columns by track; of the SAE track, those that were measured. Metrics without a column are in the CSV table."""

COSTS: tuple[CostColumn, ...] = (
    CostColumn(
        "seconds", "Time", "Wall-clock time of the method, scoring left out.", lambda cost: cost.seconds, text.duration
    ),
    CostColumn(
        "passes_per_example",
        "Passes",
        "Forward + backward passes of the method, a training example.",
        _passes,
        text.count,
    ),
    CostColumn(
        "peak_bytes", "Memory", "Highest resident memory of the method.", lambda cost: cost.peak_bytes, text.memory
    ),
)
"""Cost columns of every table."""
