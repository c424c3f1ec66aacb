"""Run one method several times, on resampled training examples or from other seeds, and see what stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from mibench.artifacts.circuit import CircuitScores
from mibench.core.errors import UsageError
from mibench.core.specs import Level, Ranking, Track
from mibench.graph.graph import BoolArray
from mibench.graph.select import FRACTIONS, edges_at, requested, top_n_items
from mibench.metrics.stability import Spread, jaccard, over_pairs, rank_correlation
from mibench.runner.discover import discover, only_job
from mibench.runner.execute import Benches
from mibench.runner.observe import Observer
from mibench.runner.plan import Job
from mibench.runner.settings import RunSettings
from mibench.tasks.encode import EncodedPair
from mibench.tracks.edge_rules import edge_selections

Varied = Literal["resamples", "seeds"]


@dataclass(frozen=True)
class Repeats:
    """What differs between the runs of a method.

    Attributes:
        varied: Training examples, drawn anew with replacement, or the method's seed.
        n: How many runs, at least 2.
        seed: Of the resampling; the method's own seed there.
    """

    varied: Varied
    n: int
    seed: int = 0


@dataclass(frozen=True)
class Agreement:
    """What pairs of artifacts agree on.

    Attributes:
        scores: The artifacts.
        selections: By ranking and requested fraction: the number of items asked for, and the Jaccard index of the
            items selected, not pruned.
        correlations: Rank correlation of the scores, and of their magnitudes, by ranking.
    """

    scores: tuple[CircuitScores, ...]
    selections: dict[Ranking, dict[float, tuple[int, Spread]]]
    correlations: dict[Ranking, Spread]


def stability(settings: RunSettings, repeats: Repeats, observer: Observer) -> Agreement:
    """Run the one method of ``settings`` several times with one loaded model, and compare the artifacts.

    Costs what the method costs, once a run.

    Raises:
        UsageError: The settings name something that does not exist, or nothing would differ between the runs.
        MibenchError: The model, the data or the method fails.
    """
    return agreement(repeated(settings, repeats, observer))


def repeated(settings: RunSettings, repeats: Repeats, observer: Observer) -> list[Any]:
    """The artifacts of several runs of the one method of ``settings``, with one loaded model.

    Raises:
        UsageError: The settings name something that does not exist, or nothing would differ between the runs.
        MibenchError: The model, the data or the method fails.
    """
    settings, job = only_job(settings)
    _check_varies(job, repeats)
    benches, found = Benches(settings), []
    for run in range(repeats.n):
        one = _job(job, repeats, run)
        observer.job(one.label, run + 1, repeats.n)
        found.append(discover(one, benches, settings, observer)[0])
    return found


def agreement(artifacts: Sequence[CircuitScores]) -> Agreement:
    """Compare rankings of the same items."""
    scored = artifacts[0].scored
    return Agreement(
        tuple(artifacts),
        {ranking: _overlaps(artifacts, ranking) for ranking in Ranking},
        {
            Ranking.SIGNED: over_pairs([one.scores[scored] for one in artifacts], rank_correlation),
            Ranking.ABSOLUTE: over_pairs([np.abs(one.scores[scored]) for one in artifacts], rank_correlation),
        },
    )


def _overlaps(artifacts: Sequence[CircuitScores], ranking: Ranking) -> dict[float, tuple[int, Spread]]:
    sizes = [requested(fraction, artifacts[0].n_scored) for fraction in FRACTIONS]
    chosen = [_selected(one, ranking, sizes) for one in artifacts]
    return {
        fraction: (n, over_pairs([each[place] for each in chosen], jaccard))
        for place, (fraction, n) in enumerate(zip(FRACTIONS, sizes, strict=True))
    }


def _selected(scores: CircuitScores, ranking: Ranking, sizes: Sequence[int]) -> list[BoolArray]:
    """The items that the artifact's rule selects, one flat table a size."""
    if scores.level is not Level.EDGE:
        return [top_n_items(scores.scores, scores.scored, n, ranking)[scores.scored] for n in sizes]
    found = edge_selections(scores.graph, scores.scores, ranking, scores.selection, sizes)
    return [edges_at(scores.graph, one.places)[scores.scored] for one in found]


def _check_varies(job: Job, repeats: Repeats) -> None:
    if job.track is not Track.CIRCUIT and repeats.varied == "resamples":
        why = "Training examples of circuits alone are drawn anew."
        raise UsageError(f"{job.method.name} is not run on resamples.", why=why, do="Use --seeds.")
    needed, other = {"resamples": ("train", "--seeds"), "seeds": ("randomness", "--resamples")}[repeats.varied]
    if needed not in job.method.needs:
        why = {"train": "It sees no training examples.", "randomness": "It draws nothing from a seed."}[needed]
        raise UsageError(f"{job.method.name} would find the same every time.", why=why, do=f"Use {other}.")


def _job(job: Job, repeats: Repeats, run: int) -> Job:
    if repeats.varied == "seeds":
        return replace(job, seed=run)
    function = _resampling(job.method.function, np.random.default_rng([repeats.seed, run]))
    seed = None if job.seed is None else repeats.seed
    return replace(job, method=replace(job.method, function=function), seed=seed)


def _resampling(function: Callable[..., Any], generator: np.random.Generator) -> Callable[..., Any]:
    """The method on as many training examples, drawn with replacement."""

    def run(view: Any, **params: Any) -> Any:
        return function(replace(view, train=resample(view.train, generator)), **params)

    return run


def resample(pairs: Sequence[EncodedPair], generator: np.random.Generator) -> tuple[EncodedPair, ...]:
    """Draw as many pairs with replacement, in their order; one that is drawn again gets a name of its own."""
    drawn, seen = [], Counter[str]()
    for place in np.sort(generator.integers(len(pairs), size=len(pairs))).tolist():
        pair = pairs[place]
        seen[pair.id] += 1
        drawn.append(pair if seen[pair.id] == 1 else replace(pair, id=f"{pair.id}#{seen[pair.id]}"))
    return tuple(drawn)
