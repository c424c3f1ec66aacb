"""Spurious correlation removal (SCR), under SAEBench's names; it fails an audit and is kept for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mibench.metrics.metric import metric
from mibench.metrics.sae.ablated_probes import AUDIT, Concept, Pooled, accuracy, effects, strongest
from mibench.metrics.sae.logistic import Linear
from mibench.metrics.sae.tpp import too_narrow
from mibench.records.record import MetricValue
from mibench.records.saebench.mapping import PAIRS_LEFT_OUT

SMALLEST_ROOM = 0.001
"""Room between biased probe and oracle below which SAEBench writes 0, and we nothing."""

DIRECTIONS = ("dir1", "dir2")
SCR_COLUMNS = ("set", "pair", "direction", "n", "base", "oracle", "changed")
_TIE = "the biased probe is as accurate on both concepts, in every pair, so neither direction is the one to read"
_NO_ROOM = "the biased probe is as accurate as the oracle, in every pair, so there is nothing to remove"


@dataclass(frozen=True)
class Pair:
    """Two concepts on the same texts, and a probe that was trained where they coincide.

    Attributes:
        name: What it is called.
        target: What dir1 wants to be left, with a probe of its own.
        spurious: What dir1 removes, likewise.
        biased: Probe trained on texts that have both or neither.
    """

    name: str
    target: Concept
    spurious: Concept
    biased: Linear


def scr(pooled: Pooled, pairs: Sequence[Pair], ns: Sequence[int]) -> pd.DataFrame:
    """Ablate the n strongest latents of one concept and see whether the biased probe reads the other one.

    Args:
        pooled: A dictionary on texts.
        pairs: Concepts with a biased probe.
        ns: Numbers of latents.

    Returns:
        One row for every pair, direction and n: accuracy of the biased probe (``base``), of the concept's own
        (``oracle``), and of the biased one after ablation (``changed``).
    """
    rows = []
    for pair in pairs:
        for direction, kept, removed in zip(
            DIRECTIONS, (pair.target, pair.spurious), (pair.spurious, pair.target), strict=True
        ):
            base, oracle = accuracy(pooled, kept, pair.biased), accuracy(pooled, kept, kept.probe)
            ranked = np.abs(effects(pooled, removed, clamped=False))
            for n in ns:
                changed = accuracy(pooled, kept, pair.biased, strongest(ranked, n))
                rows.append((pair.name, direction, n, base, oracle, changed))
    return pd.DataFrame(rows, columns=list(SCR_COLUMNS[1:]))


@metric(name="scr_dir1_threshold_n", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def scr_dir1(table: pd.DataFrame) -> float | str:
    """SCR, the spurious concept removed and the target read; in records ``scr_dir1_threshold_<n>``.

    ``(A_abl − A_base) / (A_oracle − A_base)``, mean over pairs: accuracies on texts where the concepts do not coincide
    (as often one as the other), of a probe trained where they do (base), of it with the n latents of the largest
    |effect| on the spurious concept's probe set to 0, error term added back (abl), and of a probe trained on the target
    (oracle). Pairs whose room is below .001 are left out (SAEBench: 0).

    Fails audit (arXiv 2605.18229): at large n it falls where the truth rises. Not a headline.
    Range: unbounded, in practice [−1, 1]. Higher is better. Source: Karvonen et al. 2025 (arXiv 2503.09532),
    version 0.6.
    """
    return _mean(_scores(table[table["direction"] == "dir1"]), _NO_ROOM)


@metric(name="scr_dir2_threshold_n", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def scr_dir2(table: pd.DataFrame) -> float | str:
    """SCR the other way round: the target removed and the spurious concept read.

    Fails audit (arXiv 2605.18229). Range: as `scr_dir1`. Higher is better. Source: as `scr_dir1`.
    """
    return _mean(_scores(table[table["direction"] == "dir2"]), _NO_ROOM)


@metric(name="scr_metric_threshold_n", version=1, track="sae", unit="", higher_is_better=True, floor=0.0, ceiling=1.0)
def scr_metric(table: pd.DataFrame) -> float | str:
    """SCR in the direction in which the biased probe is worse to begin with, for each pair; ties are left out.

    Fails audit (arXiv 2605.18229). Range: as `scr_dir1`. Higher is better. Source: as `scr_dir1`.
    """
    worse = _worse(table)
    return _TIE if worse.empty else _mean(_scores(worse), _NO_ROOM)


def _worse(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of one set and n in the direction in which the biased probe is worse; none of a tie."""
    base = table.groupby("pair")["base"]
    untied = base.transform("nunique") > 1
    return table[untied & (table["base"] == base.transform("min"))]


def _scores(part: pd.DataFrame) -> list[float]:
    room = part["oracle"] - part["base"]
    kept = part[room >= SMALLEST_ROOM]
    return [float(value) for value in (kept["changed"] - kept["base"]) / (kept["oracle"] - kept["base"])]


def _mean(values: Sequence[float], why: str) -> float | str:
    return float(np.mean(values)) if values else why


def _marked(part: pd.DataFrame, name: str) -> str:
    """Say that a number of one n has no interval, and whether it leaves pairs out."""
    sets = [one for _, one in part.groupby("set", sort=True)]
    read = [_worse(one) if name == "metric" else one[one["direction"] == name] for one in sets]
    left_out = sum(one["pair"].nunique() for one in sets) - sum(len(_scores(one)) for one in read)
    return f"{PAIRS_LEFT_OUT}: {left_out}" if left_out else "as SAEBench, without one"


_METRICS = {"dir1": scr_dir1, "metric": scr_metric, "dir2": scr_dir2}


def scr_metrics(table: pd.DataFrame, ns: Sequence[int], d_sae: int) -> dict[str, MetricValue]:
    """Return the three numbers of every n, mean over sets, from the tables of `scr` with a column ``set``.

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
            numbers = [value for value in values if not isinstance(value, str)]
            why = next((value for value in values if isinstance(value, str)), too_narrow(n, d_sae))
            found[f"scr_{name}_threshold_{n}"] = MetricValue(
                value=float(np.mean(numbers)) if numbers else None,
                reason=None if numbers else why,
                ci_reason=f"{_marked(part, name)}; {AUDIT}" if numbers else None,
                n=len(numbers),
                floor=declared.floor,
                ceiling=declared.ceiling,
                higher_is_better=declared.higher_is_better,
            )
    return found
