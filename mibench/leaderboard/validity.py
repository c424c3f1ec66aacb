"""How well scores that need no truth rank methods as the truth does, on models whose mechanism is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy.stats import spearmanr

from mibench.core.errors import DataError
from mibench.core.specs import Track
from mibench.leaderboard.rows import Group, Row
from mibench.metrics.bootstrap import Resampling
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import METRICS

TRUTHS: Mapping[Track, Mapping[str, tuple[str, ...]]] = {
    Track.CIRCUIT: {"auroc": ("auroc", "auroc_heads"), "average_precision": ("average_precision",)},
    Track.VARIABLE: {"subspace_overlap": ("subspace_overlap",), "site_auroc": ("site_auroc",)},
}
"""What says how near a method comes to the truth, by track: the first metric that a ground has. ``auroc_heads`` stands
in where q, k and v of a head are not told apart."""
OF_TRUTH = "truth"
"""Package of the metrics that compare with the truth."""
CONTROLS = ("known-truth",)
"""Not methods: they see the truth."""
CLOSE = 0.01
"""Truths that differ by no more are taken for equal."""
LEAST = 5
"""Methods that a ground must have, so that their ranks say something."""


@dataclass(frozen=True)
class OnGround:
    """One score on one task of one model.

    Attributes:
        task: Name of the task, with the causal variable in the variable track.
        model: Name of the model.
        n: Number of methods with both numbers.
        rho: Spearman's ρ of the score, better side up, with the truth; None where all methods have one value.
        concordance: Of the pairs of methods whose truths differ by more than `CLOSE`, the share that the score puts in
            the right order, equals counting half; None without such a pair.
    """

    task: str
    model: str
    n: int
    rho: float | None
    concordance: float | None


@dataclass(frozen=True)
class Validity:
    """How well a score ranks methods as the truth does.

    Attributes:
        track: Of the methods.
        truth: What the truth is measured by.
        score: Name of the metric.
        value: Mean of ρ over grounds, from −1 to 1; None: no ground has one.
        ci_low: Lower end of the interval, models of one program resampled together; None: fewer than two programs.
        ci_high: Upper end.
        concordance: Mean share of pairs of methods that are in the right order, from 0 to 1; one half is chance.
        grounds: Every ground.
    """

    track: Track
    truth: str
    score: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    concordance: float | None
    grounds: tuple[OnGround, ...]

    @property
    def n(self) -> int:
        """Number of grounds with a ρ."""
        return sum(one.rho is not None for one in self.grounds)

    @property
    def verdict(self) -> str:
        """In words, whether the score tracks the truth."""
        if self.value is None or self.ci_low is None or self.ci_high is None:
            return "not known"
        if self.ci_high < 0:
            return "ranks against the truth"
        if self.ci_low <= 0:
            return "does not track the truth"
        return "tracks the truth" if self.value >= 0.5 else "tracks the truth weakly"


def validities(groups: Iterable[Group], resampling: Resampling | None = None) -> list[Validity]:
    """Return how each truth-free score agrees with each measure of the truth, track by track, the best first.

    Source: the question whether a benchmark's score measures what it is to measure (construct validity).

    Args:
        groups: Groups of records; those without a truth are left out.
        resampling: Of programs; None: the default draws.

    Raises:
        DataError: No group has a truth and enough methods.
    """
    found: dict[tuple[Track, str, str], list[OnGround]] = defaultdict(list)
    for group in groups:
        for truth, names in TRUTHS.get(group.track, {}).items():
            for score, ground in _of_group(group, names).items():
                found[group.track, truth, score].append(ground)
    if not found:
        raise DataError(
            "There is nothing to validate.",
            why=f"No model with a known mechanism has records of {LEAST} or more methods here.",
            do="mibench run known_truth, and give its folder of records.",
        )
    measured = {key: grounds for key, grounds in found.items() if any(one.n for one in grounds)}
    scored = [_validity(*key, grounds, resampling or Resampling()) for key, grounds in measured.items()]
    return sorted(scored, key=_order)


def _order(one: Validity) -> tuple[str, int, bool, float, str]:
    place = list(TRUTHS[one.track]).index(one.truth)
    return one.track.value, place, one.value is None, -(one.value or 0.0), one.score


def _of_group(group: Group, truths: Sequence[str]) -> dict[str, OnGround]:
    rows = [row for row in group.rows if row.status == "ok" and row.method not in CONTROLS]
    name = next((name for name in truths if sum(_number(row, name) is not None for row in rows) >= LEAST), None)
    if name is None:
        return {}
    truth = np.array([_number(row, name) for row in rows], dtype=np.float64)
    cell = group.cell
    variable = f" / {cell.variable.name}" if cell.variable else ""
    return {
        score: OnGround(cell.task.name + variable, cell.model.name, *_agreement(rows, score, sign, truth))
        for score, sign in _scores(rows).items()
    }


def _scores(rows: Sequence[Row]) -> Mapping[str, int]:
    """Names of the scores that need no truth and have a better side, with its sign."""
    names = {name for row in rows for name in row.metrics}
    found = {}
    for name in sorted(names & set(METRICS.components)):
        known = METRICS.components[name]
        better = known.metadata.get("higher_is_better")
        if better is not None and f".{OF_TRUTH}." not in known.module:
            found[name] = 1 if better else -1
    return found


def _agreement(rows: Sequence[Row], score: str, sign: int, truth: FloatArray) -> tuple[int, float | None, float | None]:
    """Number of methods, ρ and concordance."""
    values = sign * np.array([_number(row, score) for row in rows], dtype=np.float64)
    both = np.isfinite(values) & np.isfinite(truth)
    n, scores, truths = int(both.sum()), values[both], truth[both]
    if n < LEAST:
        return n, None, None
    flat = len(set(scores)) == 1 or len(set(truths)) == 1
    return n, None if flat else float(spearmanr(scores, truths).statistic), _concordance(scores, truths)


def _concordance(scores: FloatArray, truths: FloatArray) -> float | None:
    better = truths[:, None] - truths[None, :] > CLOSE
    if not better.any():
        return None
    ordered = np.sign(scores[:, None] - scores[None, :])[better]
    return float((1 + ordered).mean() / 2)


def _number(row: Row, name: str) -> float | None:
    metric = row.metrics.get(name)
    return None if metric is None else metric.value


def _validity(track: Track, truth: str, score: str, grounds: Sequence[OnGround], resampling: Resampling) -> Validity:
    by_program: dict[str, list[float]] = defaultdict(list)
    for one in grounds:
        if one.rho is not None:
            by_program[one.task.split(" / ")[0]].append(one.rho)
    every = [rho for rhos in by_program.values() for rho in rhos]
    low, high = _interval(list(by_program.values()), resampling)
    pairs = [one.concordance for one in grounds if one.concordance is not None]
    mean, right = (fmean(found) if found else None for found in (every, pairs))
    return Validity(track, truth, score, mean, low, high, right, tuple(grounds))


def _interval(clusters: Sequence[Sequence[float]], resampling: Resampling) -> tuple[float | None, float | None]:
    """Percentile interval of the mean over all grounds, whole programs drawn with replacement."""
    if len(clusters) < 2:
        return None, None
    sums = np.array([sum(cluster) for cluster in clusters])
    sizes = np.array([len(cluster) for cluster in clusters])
    generator = np.random.Generator(np.random.PCG64(resampling.seed))
    draws = generator.integers(len(clusters), size=(resampling.resamples, len(clusters)))
    means = sums[draws].sum(1) / sizes[draws].sum(1)
    tail = (1 - resampling.level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
