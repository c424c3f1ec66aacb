"""Rankings and circuits on a few rows: above random, with the right sign, at the right layers?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mibench.artifacts.circuit import CircuitScores, circuit_of_members
from mibench.artifacts.selection import Selection
from mibench.artifacts.series import CircuitSeries
from mibench.core.specs import Ranking
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.model import LanguageModel
from mibench.graph.graph import BoolArray
from mibench.intake.smoke.variants import flipped, rolled
from mibench.intake.smoke.verdict import MARGIN, RESAMPLING, Measured, Own, Variant, below_floor, cause
from mibench.metrics import areas
from mibench.metrics.bootstrap import resampled_means
from mibench.metrics.faithfulness import FloatArray
from mibench.runner.cells.workbench import Workbench
from mibench.tasks.encode import EncodedPair
from mibench.tracks.circuit import circuits_of
from mibench.tracks.select import SizedCircuit

DRAWS = 5
"""Random rankings; an artifact is to be better than their mean by their standard deviation."""

_SIGNED, _ABSOLUTE, _FLIPPED = "signed", "absolute", "flipped"
_SIGN = ("with the sign flipped", "Positive is to mean helpful: turn the sign of the scores.")
_SHIFTS = {
    1: ("with every layer raised by one", "Layers are counted from 0: is each of yours one too low?"),
    -1: ("with every layer lowered by one", "Layers are counted from 0: is each of yours one too high?"),
}


def circuit_warning(scores: CircuitScores, bench: Workbench, task: str, rows: int) -> str | None:
    """Score a ranking, one circuit or a series on validation rows, beside what it could have been.

    The score is minus the strict distance ``∫ |1 − f| dx`` of the curve: of the better ranking against random ones,
    of the signed one against the flipped sign, of the absolute one against shifted layers.

    Args:
        scores: The artifact.
        bench: Its model.
        task: The task.
        rows: Rows, at most.

    Raises:
        MibenchError: The task cannot be used with the model.
    """
    pairs = bench.examples(task, "validation", rows).pairs
    curves = _Curves(bench.model, pairs)
    measured = curves.measured(_own(scores))
    signed, absolute = measured[_SIGNED], measured[_ABSOLUTE]
    own = Own(
        measured=max(absolute, signed, key=lambda one: one.value),
        best=0.0,
        floor=-np.inf,
        floor_words="",
        measure="distance",
        rows=f"{len(pairs)} validation rows of {task}",
        n=len(pairs),
    )
    sign, shifts = _variants(scores, curves, measured)
    hopes = [(replace(own, measured=signed), sign), (replace(own, measured=absolute), shifts)]
    # Random circuits take longest, and are run where what they reach could matter.
    if own.measured.value < -MARGIN or any(cause(one, tried) for one, tried in hopes):
        floor, words = _floor(scores, curves)
        own = replace(own, floor=floor, floor_words=words)
    causes = (cause(replace(one, floor=own.floor), tried) for one, tried in hopes)
    return next(filter(None, causes), None) or below_floor(own)


def _variants(
    scores: CircuitScores, curves: _Curves, own: Mapping[str, Measured]
) -> tuple[list[Variant], list[Variant]]:
    """The flipped sign and shifted layers of a ranking, as far as they can gain the margin; a circuit has neither."""
    if scores.binary or isinstance(scores, CircuitSeries):
        return [], []
    named = {}
    if own[_SIGNED].value < -MARGIN:
        named[_FLIPPED] = _own(flipped(scores))[_SIGNED]
    if own[_ABSOLUTE].value < -MARGIN:
        # With two layers, up and down are the same.
        for by in list(_SHIFTS)[: max(0, scores.graph.n_layers - 1)]:
            named[f"shift {by}"] = _own(rolled(scores, by))[_ABSOLUTE]
    found = curves.measured(named)
    sign = [Variant(*_SIGN, found[_FLIPPED])] if _FLIPPED in found else []
    return sign, [Variant(*_SHIFTS[by], found[f"shift {by}"]) for by in _SHIFTS if f"shift {by}" in found]


def _floor(scores: CircuitScores, curves: _Curves) -> tuple[float, str]:
    """What random circuits of the same sizes reach, and a standard deviation; the same in words."""
    found = curves.measured({str(seed): _random(scores, seed) for seed in range(DRAWS)})
    drawn = np.array([one.value for one in found.values()])
    spread = float(drawn.std(ddof=1))
    return float(drawn.mean()) + spread, f"clearly better than random ones ({-drawn.mean():.2f} ± {spread:.2f})"


def _own(scores: CircuitScores) -> dict[str, list[SizedCircuit]]:
    every = circuits_of(_plain(scores))
    return {
        name: [one for one in every if one.ranking is ranking]
        for name, ranking in ((_SIGNED, Ranking.SIGNED), (_ABSOLUTE, Ranking.ABSOLUTE))
    }


def _plain(scores: CircuitScores) -> CircuitScores:
    """The scores without a selection rule, which may take long, and is not what is looked at."""
    return replace(scores, selection=Selection())


def _random(scores: CircuitScores, seed: int) -> list[SizedCircuit]:
    """Random circuits of the same sizes."""
    generator = np.random.default_rng(seed)
    if isinstance(scores, CircuitSeries):
        members = [one.member.members for one in scores.sized(Ranking.ABSOLUTE)]
    elif scores.binary and scores.in_graph is not None:
        members = [scores.in_graph]
    else:
        drawn = generator.random(scores.shape)
        return _own(replace(scores, scores=np.where(scores.scored, drawn, 0.0)))[_ABSOLUTE]
    circuits = [
        circuit_of_members(scores.graph, scores.level, _members(generator, scores.scored, int(one.sum())))
        for one in members
    ]
    return [SizedCircuit(Ranking.ABSOLUTE, 0.0, one.n_edges, one) for one in circuits]


def _members(generator: np.random.Generator, scored: BoolArray, n: int) -> BoolArray:
    places = np.flatnonzero(scored)
    found = np.zeros(scored.size, dtype=np.bool_)
    found[generator.choice(places, min(n, len(places)), replace=False)] = True
    return found.reshape(scored.shape)


@dataclass(frozen=True)
class _Curves:
    """Runs circuits on the rows of a task.

    Attributes:
        model: The model.
        pairs: The rows.
    """

    model: LanguageModel
    pairs: Sequence[EncodedPair]

    def measured(self, named: Mapping[str, list[SizedCircuit]]) -> dict[str, Measured]:
        """Minus the distance of each curve, all in the same resamples."""
        every = [one.circuit for circuits in named.values() for one in circuits]
        # Few rows of many lengths: padded, they are one batch.
        outcome = evaluate(self.model, self.pairs, every, Evaluation(padded=True))
        columns = np.vstack([outcome.clean, outcome.empty, outcome.circuits]).T
        means = np.vstack([columns.mean(axis=0), resampled_means(columns, RESAMPLING)])
        faithfulness = _faithfulness(means)
        found, start = {}, 0
        for name, circuits in named.items():
            sizes = np.array([one.circuit.weighted_real_edges for one in circuits]) / self.model.graph.n_edges
            part = faithfulness[:, start : start + len(circuits)]
            scores = -areas.distance(*areas.strict_curve(sizes, part))
            found[name] = Measured(float(scores[0]), scores[1:])
            start += len(circuits)
        return found


def _faithfulness(means: FloatArray) -> FloatArray:
    """(m(circuit) − m(empty)) / (m(model) − m(empty)); NaN in resamples in which the divisor changes its sign."""
    span = means[:, :1] - means[:, 1:2]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (means[:, 2:] - means[:, 1:2]) / span
    return np.where(span * span[0] > 0, found, np.nan)
