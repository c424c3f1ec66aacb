"""How a cell of the variable track is run: method → featurizers → interchanges → tables → metrics."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import save_featurizers
from mibench.engine.interchange.interchanges import Interchanges
from mibench.metrics.truth.site_table import site_truth_table, true_sites
from mibench.metrics.truth.sites import site_truth_metrics
from mibench.metrics.variable.scores import variable_metrics
from mibench.metrics.variable.size import n_parameters
from mibench.metrics.variable.tables import VariableTables
from mibench.runner.cells.meter import Meter
from mibench.runner.cells.work import CellRun, Found, Trade
from mibench.runner.variables.controls import controls
from mibench.runner.variables.ground import options_of, parts_of, solved_rows
from mibench.runner.variables.stage import Stage, groups, linear_fit, rows_of, run_method
from mibench.tracks.linear_target import LinearFit
from mibench.tracks.site_truth import site_overlaps
from mibench.tracks.variable import (
    Scored,
    example_table,
    interventions_of,
    noop_table,
    selection_table,
)


def make(work: CellRun, meter: Meter) -> Featurizers:
    """The featurizers of a cell: handed in, or made by its method.

    Raises:
        MibenchError: They are unusable, or the method cannot do what was asked.
    """
    anatomy = work.bench.model.anatomy
    found = work.handed_in if work.handed_in is not None else run_method(Stage.of(work, meter))
    found.validate()
    found.check_model(anatomy.d_model, anatomy.head_dim, anatomy.n_layers, anatomy.n_heads)
    return found


def score(work: CellRun, featurizers: Featurizers, meter: Meter) -> Found:
    """Choose a site, score every site, and compute the metrics."""
    fit = linear_fit(work)
    coefficients = None if fit is None else fit.coefficients
    parts = parts_of(work.job, work.settings, work.bench.variable_task(work.job.task))
    found, interventions = interventions_of(featurizers, groups(work), work.bench.model)
    chooser = scored(work, parts.chosen_by, coefficients, meter, "choose")
    outputs, noop = chooser.runs.run(interventions), chooser.runs.plain()
    selection = selection_table(found, outputs, noop, chooser)
    own = scored(work, parts.evaluated, coefficients, meter, "score")
    meter.examples(len(own.rows))
    attrition = _attrition(work, parts.evaluated)
    n_layers = work.bench.model.anatomy.n_layers
    tables = VariableTables(
        examples=example_table(found, own.runs.run(interventions), own).assign(n_layers=n_layers),
        noop=noop_table(own.runs.plain(), own),
        selection=selection,
        attrition=attrition,
        layers=None if work.cell.variable is None else work.cell.variable.layers,
        extras=controls(work, meter),
    )
    metrics = variable_metrics(tables)
    metrics[n_parameters.name] = n_parameters(featurizers.n_parameters)
    more = {} if fit is None else {"linear_target": _fit_table(fit)}
    known = _known_sites(work, featurizers, tables)
    if known is not None:
        more["truth"] = known
        metrics |= site_truth_metrics(known)
    own_tables = {"examples": tables.examples, "noop": tables.noop, "selection": tables.selection}
    every = {**own_tables, "attrition": attrition, **tables.extras, **more}
    return Found(every, metrics, board=board_of(featurizers))


def _known_sites(work: CellRun, featurizers: Featurizers, tables: VariableTables) -> pd.DataFrame | None:
    """Every site beside the truth; None where it is not known where the variable lives."""
    truth, variable = work.bench.truth(work.job.task), work.job.variable or ""
    if truth is None or not true_sites(truth, variable):
        return None
    overlaps = site_overlaps(featurizers, truth, work.bench.subspaces)
    return site_truth_table(tables, truth, variable, overlaps)


def board_of(featurizers: Featurizers) -> str | None:
    """The board of their own that featurizers are shown on, by what they do; None: they are ranked.

    Edits have no source, and nonlinear maps can fit anything.
    """
    if featurizers.is_edit:
        return "edit"
    kinds = {operation.kind for one in featurizers.sites for operation in one.operations}
    return "control" if "coupling" in kinds else None


def scored(work: CellRun, split: str, coefficients: tuple[float, ...] | None, meter: Meter, stage: str) -> Scored:
    """The solved rows of a split, ready to run."""
    rows = rows_of(work, split)
    options = options_of(work.job, work.bench, work.settings)
    runs = Interchanges(work.bench.model, rows, options, meter, work.observer.stage(stage))
    return Scored(runs, rows, coefficients)


def _attrition(work: CellRun, split: str) -> pd.DataFrame:
    found = solved_rows(work.job, work.bench, work.settings, split)
    return found.attrition.assign(digest=found.digest)


def _fit_table(fit: LinearFit) -> pd.DataFrame:
    names = ["constant", *(f"slope_{place}" for place in range(len(fit.coefficients) - 1))]
    rows = [*zip(names, fit.coefficients, strict=True), ("r_squared", fit.r_squared), ("rows", float(fit.n))]
    return pd.DataFrame(rows, columns=["name", "value"])


def save(featurizers: Featurizers, path: Path) -> None:
    """Write featurizers to a file."""
    save_featurizers(featurizers, path)


VARIABLE = Trade(make, score, save)
