"""Which numbers of a record are shown first, by track."""

from __future__ import annotations

from mibench.core.specs import Track
from mibench.records.record import RunRecord
from mibench.records.store import Store

COLUMNS: dict[Track, dict[str, str]] = {
    Track.CIRCUIT: {"distance_absolute": "distance (low)", "cmd": "CMD (low)", "cpr": "CPR (high)"},
    Track.VARIABLE: {
        "normalised_iia": "normalised IIA (high)",
        "normalised_average": "over layers (high)",
        "iia_average": "MIB average (high)",
        "iia_highest": "MIB highest (high)",
    },
    Track.SAE: {},
}
"""Metrics of the table, with their titles and which way is better."""

MEASURED: dict[Track, dict[str, str]] = {
    Track.CIRCUIT: {
        "incompleteness_absolute": "incompleteness (low)",
        "idle_share_1pct": "idle at 1 % (low)",
        "idle_share_5pct": "idle at 5 % (low)",
    },
    Track.VARIABLE: {
        "isolate": "isolate (high)",
        "explained_variance": "explained variance (high)",
        "mse_average": "MSE (low)",
        "selectivity": "selectivity (high)",
    },
    Track.SAE: {
        "l0": "L0",
        "explained_variance_global": "explained variance (high)",
        "explained_variance_ordinary": "of ordinary tokens (high)",
        "ce_recovered_mean": "CE recovered, mean ablation (high)",
        "dead": "dead (low)",
        "probe_accuracy_k1": "probe, 1 latent (high)",
        "probe_accuracy_k5": "probe, 5 latents (high)",
        "disentangle_err": "disentangle (high)",
        "mcc_decoder": "MCC (high)",
        "recovery_at_90": "recovery at .9 (high)",
        "latent_f1": "latent F1 (high)",
        "absorption": "absorption (low)",
        "absorption_misses": "misses (low)",
        "hierarchy_absorption": "hierarchy absorption (low)",
        "hedging": "hedging (low)",
        "explained_by_token": "explained by token",
        "explained_by_bigram": "by token pair",
        "autointerp_balanced_accuracy": "autointerp (high)",
    },
}
"""Metrics that are shown where they were measured."""

COMPARED: dict[Track, tuple[str, ...]] = {
    Track.CIRCUIT: ("distance_absolute", "cmd", "cpr", "area_bounded_signed"),
    Track.VARIABLE: ("normalised_iia", "normalised_average", "iia_average", "isolate", "explained_variance"),
    Track.SAE: (),
}
"""Metrics that a comparison shows first."""


def chosen_site(record: RunRecord, store: Store) -> str:
    """The site that was chosen for a record of the variable track, its component left out; empty in the others."""
    if record.cell.variable is None or "selection" not in record.tables:
        return ""
    table = store.table(record, "selection")
    name = str(table.loc[table["chosen"], "group"].iloc[0])
    parts = name.split(" + ")
    prefix = f"{record.cell.variable.component}."
    return name.removeprefix(prefix) if len(parts) == 1 else f"{len(parts)} {record.cell.variable.component}s together"
