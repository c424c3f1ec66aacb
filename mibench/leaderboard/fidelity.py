"""Causal scores once fidelity is taken out: much of them says how well a dictionary reconstructs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mibench.leaderboard.rows import Group, Row
from mibench.leaderboard.text import number
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.sae.fidelity_residual import fidelity_residuals
from mibench.records.record import MetricValue

SCORE, FIDELITY, L0 = "disentangle_err", "explained_variance_rows", "l0"
_RESAMPLING = Resampling(resamples=1000)


@dataclass(frozen=True)
class Residuals:
    """Causal scores of a group against fidelity.

    Attributes:
        by_row: What is left of each row's score, by its id; null where there is no line.
        note: How closely the score follows fidelity and L0; empty where that is not known.
    """

    by_row: Mapping[str, MetricValue]
    note: str


def residuals(group: Group) -> Residuals | None:
    """Return residuals of a group of causal scores; None for other groups."""
    rows = [row for row in group.rows if _number(row, SCORE) is not None and _number(row, FIDELITY) is not None]
    if not rows:
        return None
    columns = [[_number(row, name) or 0.0 for row in rows] for name in (SCORE, FIDELITY)]
    sparsity = [_number(row, L0) or 0.0 for row in rows]
    log_l0 = [math.log(value) if value > 0 else math.nan for value in sparsity]
    found = fidelity_residuals(columns[0], columns[1], log_l0, _RESAMPLING)
    told = [f"{_told(one)} with {what}" for one, what in ((found.with_fidelity, "fidelity"), (found.with_log_l0, "L0"))]
    note = f"Rank correlation of disentangle over these dictionaries: {' and '.join(told)}."
    return Residuals(
        dict(zip((row.id for row in rows), found.residuals, strict=True)),
        "" if found.with_fidelity.value is None else note,
    )


def _number(row: Row, name: str) -> float | None:
    value = row.metrics.get(name)
    return None if value is None else value.value


def _told(value: MetricValue) -> str:
    if value.value is None:
        return "none"
    ends = (
        ""
        if value.ci_low is None or value.ci_high is None
        else (f" [{number(value.ci_low, 2)}, {number(value.ci_high, 2)}]")
    )
    return f"{number(value.value, 2)}{ends}"
