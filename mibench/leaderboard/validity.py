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
from mibench.metrics.bootstrap import Resampling, interval_of, resampled_means
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import METRICS
from mibench.models.known import known_models
from mibench.tasks.known.programs import program_names

TRUTHS: Mapping[Track, Mapping[str, tuple[str, ...]]] = {
    Track.CIRCUIT: {"auroc": ("auroc", "auroc_heads"), "average_precision": ("average_precision",)},
    Track.VARIABLE: {"subspace_overlap": ("subspace_overlap",), "site_auroc": ("site_auroc",)},
}
"""What says how near a method comes to the truth, by track: the first metric that a ground has. ``auroc_heads`` stands
in where q, k and v of a head are not told apart."""
OF_TRUTH = "truth"
"""Package of the metrics that compare with the truth."""
CONTROLS = ("known-truth", "random", "random-subspace")
"""Not methods: the one sees the truth, the others nothing."""
CLOSE = 0.01
"""Truths are rounded to multiples of it, so that chance does not order methods that all find nearly everything."""
PUBLISHED = ("interpbench",)
"""Models whose truth is somebody else's, beside those that mibench makes or ships."""
ALL = 0.99
"""Floor from which on a number says nothing: swapping everything contains every subspace."""
CHANCE, CLEARLY = 0.5, 0.75
"""Shares of pairs in the right order."""
SUBSPACE = "subspace_overlap"
LEAST = 5
"""Methods that a ground must have, so that their ranks say something."""


@dataclass(frozen=True)
class OnGround:
    """One score on one task of one model.

    Attributes:
        task: Name of the task, with the causal variable in the variable track.
        program: Program of the task, whatever its counterfactual set.
        model: Name of the model.
        n: Number of methods with both numbers.
        pairs: Of the pairs of methods whose truths differ, the share that the score puts in the right order, equals
            counting half; None without such a pair.
        rho: Spearman's ρ of the score, better side up, with the truth, ties averaged; None where all have one value.
    """

    task: str
    program: str
    model: str
    n: int
    pairs: float | None
    rho: float | None


@dataclass(frozen=True)
class Mean:
    """A mean over grounds, and its interval, the grounds of a program resampled together.

    Attributes:
        value: None: no ground has a number.
        low: Lower end; None with fewer than two programs.
        high: Upper end.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Validity:
    """How well a score ranks methods as the truth does.

    Attributes:
        track: Of the methods.
        truth: What the truth is measured by.
        score: Name of the metric.
        pairs: Share of pairs of methods in the right order, from 0 to 1; one half is chance.
        rho: Spearman's ρ, from −1 to 1; ties of the truth keep it below 1 for a score without ties.
        grounds: Every ground.
    """

    track: Track
    truth: str
    score: str
    pairs: Mean
    rho: Mean
    grounds: tuple[OnGround, ...]

    @property
    def used(self) -> tuple[OnGround, ...]:
        """Grounds that say something."""
        return tuple(one for one in self.grounds if one.pairs is not None)

    @property
    def verdict(self) -> str:
        """In words, whether the score tracks the truth."""
        found = self.pairs
        if found.value is None or found.low is None or found.high is None:
            return "not known"
        if found.high < CHANCE:
            return "ranks against the truth"
        if found.low <= CHANCE:
            return "not shown to track the truth"
        return "tracks the truth" if found.value >= CLEARLY else "tracks the truth weakly"


def validities(groups: Iterable[Group], resampling: Resampling | None = None) -> list[Validity]:
    """Return how each truth-free score agrees with each measure of the truth, track by track, the best first.

    Source: the question whether a benchmark's score measures what it is to measure (construct validity).

    Args:
        groups: Groups of records; those of models that mibench does not know the truth of are left out.
        resampling: Of programs; None: the default draws.

    Raises:
        DataError: No group has a truth and enough methods.
    """
    found: dict[tuple[Track, str, str], list[OnGround]] = defaultdict(list)
    for group in filter(_is_known, groups):
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
    return one.track.value, place, one.pairs.value is None, -(one.pairs.value or 0.0), one.score


def _is_known(group: Group) -> bool:
    name = group.cell.model.name
    return name in PUBLISHED or name in known_models()


def _of_group(group: Group, truths: Sequence[str]) -> dict[str, OnGround]:
    rows = [row for row in group.rows if row.status == "ok" and row.method not in CONTROLS]
    name = next((name for name in truths if sum(_nearness(row, name) is not None for row in rows) >= LEAST), None)
    if name is None:
        return {}
    cell = group.cell
    truth = np.round(np.array([_nearness(row, name) for row in rows], dtype=np.float64) / CLOSE)
    task = cell.task.name + (f" / {cell.variable.name}" if cell.variable else "")
    where = (task, _program(cell.task.name), cell.model.name)
    return {score: OnGround(*where, *_agreement(rows, score, sign, truth)) for score, sign in _scores(rows).items()}


def _program(task: str) -> str:
    """Name of a task's program; a task that is no program's stands for itself."""
    return next((name for name in program_names() if task == name or task.startswith(f"{name}-")), task)


def _nearness(row: Row, name: str) -> float | None:
    """How near a method comes to the truth: of a subspace, what it has beyond chance for one of its size."""
    metric = row.metrics.get(name)
    if metric is None or metric.value is None or name != SUBSPACE:
        return None if metric is None else metric.value
    floor = metric.floor or 0.0
    return None if floor >= ALL else (metric.value - floor) / (1 - floor)


def _scores(rows: Sequence[Row]) -> Mapping[str, int]:
    """Names of the scores that need no truth and say how good a result is, with the sign of the better side."""
    names = {name for row in rows for name in row.metrics}
    found = {}
    for name in sorted(names & set(METRICS.components)):
        known = METRICS.components[name]
        better = known.metadata.get("higher_is_better")
        told = better is None or known.metadata.get("diagnostic") or f".{OF_TRUTH}." in known.module
        if not told:
            found[name] = 1 if better else -1
    return found


def _agreement(rows: Sequence[Row], score: str, sign: int, truth: FloatArray) -> tuple[int, float | None, float | None]:
    """Number of methods, share of pairs in the right order, and ρ."""
    values = sign * np.array([_number(row, score) for row in rows], dtype=np.float64)
    both = np.isfinite(values) & np.isfinite(truth)
    n, scores, truths = int(both.sum()), values[both], truth[both]
    if n < LEAST:
        return n, None, None
    flat = len(set(scores)) == 1 or len(set(truths)) == 1
    return n, _pairs(scores, truths), None if flat else float(spearmanr(scores, truths).statistic)


def _pairs(scores: FloatArray, truths: FloatArray) -> float | None:
    better = truths[:, None] > truths[None, :]
    if not better.any():
        return None
    ordered = np.sign(scores[:, None] - scores[None, :])[better]
    return float((1 + ordered).mean() / 2)


def _number(row: Row, name: str) -> float | None:
    metric = row.metrics.get(name)
    return None if metric is None else metric.value


def _validity(track: Track, truth: str, score: str, grounds: Sequence[OnGround], resampling: Resampling) -> Validity:
    pairs = _mean([(one.program, one.pairs) for one in grounds], resampling)
    rho = _mean([(one.program, one.rho) for one in grounds], resampling)
    return Validity(track, truth, score, pairs, rho, tuple(grounds))


def _mean(values: Iterable[tuple[str, float | None]], resampling: Resampling) -> Mean:
    by_program: dict[str, list[float]] = defaultdict(list)
    for program, value in values:
        if value is not None:
            by_program[program].append(value)
    every = [value for known in by_program.values() for value in known]
    if not every:
        return Mean()
    # Sums and sizes of whole programs are drawn together: their ratio is the mean over the grounds that are drawn.
    clusters = np.array([(sum(known), len(known)) for known in by_program.values()], dtype=np.float64)
    drawn = resampled_means(clusters, resampling)
    means = drawn[:, 0] / drawn[:, 1]
    interval = interval_of(means, np.ones(len(means), dtype=np.bool_), len(clusters), resampling.level)
    return Mean(fmean(every), interval.low, interval.high)
