"""Targeted probe perturbation (TPP), under SAEBench's names; it fails an audit and is kept for comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mibench.metrics.metric import metric
from mibench.metrics.sae.ablated_probes import AUDIT, Concept, Pooled, accuracy, effects, strongest
from mibench.records.record import MetricValue

PARTS = ("total_metric", "intended_diff_only", "unintended_diff_only")
TPP_COLUMNS = ("set", "n", "ablated", "probe", "clean", "changed")


def tpp(pooled: Pooled, concepts: Sequence[Concept], ns: Sequence[int]) -> pd.DataFrame:
    """Ablate the n strongest latents of each concept and read every concept's probe.

    Args:
        pooled: A dictionary on texts.
        concepts: Classes, one against the rest.
        ns: Numbers of latents.

    Returns:
        One row for every n, ablated concept and probe: accuracies ``clean`` and ``changed``.
    """
    clean = {one.name: accuracy(pooled, one, one.probe) for one in concepts}
    rows = []
    for ablated in concepts:
        ranked = effects(pooled, ablated, clamped=True)
        for n in ns:
            chosen = strongest(ranked, n)
            for one in concepts:
                changed = accuracy(pooled, one, one.probe, chosen)
                rows.append((n, ablated.name, one.name, clean[one.name], changed))
    return pd.DataFrame(rows, columns=list(TPP_COLUMNS[1:]))


@metric(
    name="tpp_threshold_n_total_metric", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=0.5
)  # fmt: skip
def tpp_total(table: pd.DataFrame) -> float:
    """TPP: what ablating a class's latents costs its own probe, less what it costs the others'.

    ``mean_i [(A_i − A_{i|i}) − mean_{j≠i} (A_j − A_{j|i})]``, A_j the accuracy of class j's probe and A_{j|i} the same
    with the n latents of the largest effect on probe i set to 0, error term added back. Probes (AdamW, L1) on the
    mean-pooled activation. In records ``tpp_threshold_<n>_total_metric``.

    Fails audit (arXiv 2605.18229): falls as training goes on. Not a headline.
    Range: about [−.5, .5]. Higher is better. Source: Karvonen et al. 2025 (arXiv 2503.09532), version 0.6.
    """
    return tpp_intended(table) - tpp_unintended(table)


@metric(
    name="tpp_threshold_n_intended_diff_only", version=1, track="sae", unit="", higher_is_better=True, floor=0.0,
    ceiling=0.5,
)  # fmt: skip
def tpp_intended(table: pd.DataFrame) -> float:
    """First term of `tpp_total`: accuracy that a class's own probe loses.

    Fails audit (arXiv 2605.18229). Range: about [−.5, .5]. Higher is better. Source: as `tpp_total`.
    """
    own = table["ablated"] == table["probe"]
    return _mean_loss(table[own])


@metric(
    name="tpp_threshold_n_unintended_diff_only", version=1, track="sae", unit="", higher_is_better=False, ceiling=0.0
)  # fmt: skip
def tpp_unintended(table: pd.DataFrame) -> float:
    """Second term of `tpp_total`: accuracy that the other classes' probes lose.

    Fails audit (arXiv 2605.18229). Range: about [−.5, .5]. Lower is better. Source: as `tpp_total`.
    """
    own = table["ablated"] == table["probe"]
    return _mean_loss(table[~own])


def _mean_loss(part: pd.DataFrame) -> float:
    """Mean over classes of the mean loss of the probes."""
    loss = (part["clean"] - part["changed"]).groupby(part["ablated"]).mean()
    return float(loss.mean())


_METRICS = dict(zip(PARTS, (tpp_total, tpp_intended, tpp_unintended), strict=True))


def tpp_metrics(table: pd.DataFrame, ns: Sequence[int], d_sae: int) -> dict[str, MetricValue]:
    """Return the three numbers of every n, mean over sets, from the tables of `tpp` with a column ``set``.

    Args:
        table: Of all sets.
        ns: Numbers of latents that a record has; null where the dictionary has fewer.
        d_sae: Latents of the dictionary.
    """
    found = {}
    for n in ns:
        part = table[table["n"] == n]
        for name, declared in _METRICS.items():
            values = [declared(one) for _, one in part.groupby("set", sort=True)]
            missing = too_narrow(n, d_sae) if not values else None
            found[f"tpp_threshold_{n}_{name}"] = MetricValue(
                value=None if missing else float(np.mean(values)),
                reason=missing,
                ci_reason=None if missing else f"as SAEBench, without one; {AUDIT}",
                n=len(values),
                floor=declared.floor,
                ceiling=declared.ceiling,
                higher_is_better=declared.higher_is_better,
            )
    return found


def too_narrow(n: int, d_sae: int) -> str:
    """Why there is no number for ``n`` latents."""
    return f"the dictionary has {d_sae} latents, fewer than {n}"
