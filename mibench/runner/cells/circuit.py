"""How a cell of the circuit track is run: method → scores → circuits → tables → metrics."""

from __future__ import annotations

from dataclasses import replace

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.files import save_scores
from mibench.core.errors import MethodError
from mibench.core.specs import Ablation
from mibench.engine.base import constants_for
from mibench.engine.circuits.evaluate import Evaluation
from mibench.methods.returned import artifact_of
from mibench.methods.view import CircuitView
from mibench.metrics.circuit import circuit_metrics
from mibench.metrics.per_example import CircuitTables
from mibench.metrics.truth.edge_scores import edge_truth_metrics, no_edge_truth
from mibench.runner.cells.identity import FROM_TRAIN, training, validation
from mibench.runner.cells.meter import Meter
from mibench.runner.cells.work import CellRun, Found, Trade, batching, call_method
from mibench.runner.plan import is_control
from mibench.tracks.circuit import circuits_of, score_circuit
from mibench.tracks.truth import edge_truth_table


def make(work: CellRun, meter: Meter) -> CircuitScores:
    """The scores of a cell: handed in, or made by its method.

    Raises:
        MibenchError: They are unusable, or the method cannot do what was asked.
    """
    scores = work.handed_in if work.handed_in is not None else _run_method(work, meter)
    scores.validate()
    scores.check_model(work.bench.model.graph, work.bench.model.anatomy.d_model)
    if scores.level is not work.settings.level:
        raise MethodError(
            f"{work.job.method.name} scored {scores.level}s.",
            why=f"This run asks for {work.settings.level}s.",
            do=f"Use --level {scores.level}, or view.scores(array) in the method.",
        )
    return scores


def _run_method(work: CellRun, meter: Meter) -> CircuitScores:
    job, bench, settings = work.job, work.bench, work.settings
    train = training(job, bench, settings) if "train" in job.method.needs else None
    chosen = validation(job, bench, settings)
    meter.examples(0 if train is None else len(train.pairs))
    view = CircuitView(
        model=bench.model,
        train=() if train is None else train.pairs,
        validation=() if chosen is None else chosen.pairs,
        level=settings.level,
        truth=bench.truth(job.task) if is_control(job.method) else None,
        seed=job.seed or 0,
        **batching(settings),
        counter=meter,
        progress=work.observer.stage("discover"),
    )
    found = artifact_of(
        call_method(work, view), CircuitScores, job.method.name, noun="circuit scores", call="view.scores(array)"
    )
    return replace(found, method=job.method.name, params=job.params)


def score(work: CellRun, scores: CircuitScores, meter: Meter) -> Found:
    """Evaluate the circuits of scores, and compute the metrics."""
    bench, settings = work.bench, work.settings
    pairs = bench.examples(work.job.task, settings.split, settings.limit).pairs
    train = training(work.job, bench, settings)
    means_from = pairs if train is None else train.pairs
    meter.forward(len(means_from) if settings.ablation in FROM_TRAIN else 0)
    meter.examples(len(pairs))
    constants = constants_for(bench.model, settings.ablation, means_from, settings.batch_size)
    tables: CircuitTables = score_circuit(
        bench.model,
        circuits_of(scores, settings.convention),
        pairs,
        Evaluation(constants=constants, **batching(settings)),
        meter,
        work.observer.stage("score"),
        extras=frozenset(settings.extras),
    )
    metrics, curves = circuit_metrics(*tables)
    found = {"examples": tables.table, "endpoints": tables.endpoints, **tables.extras}
    truth = bench.truth(work.job.task)
    if truth is not None and settings.ablation is not Ablation.COUNTERFACTUAL:
        metrics |= no_edge_truth("the truth is known for counterfactual ablation alone")
    elif truth is not None:
        found["truth"] = edge_truth_table(bench.model.graph, scores, truth)
        metrics |= edge_truth_metrics(found["truth"])
    return Found(found, metrics, curves, board="control" if is_control(work.job.method) else None)


CIRCUIT = Trade(make, score, save_scores)
