"""What a method of the variable track is run on: the cell itself, or a control of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.core.errors import DataError
from mibench.core.sites import Component, Site
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.model import LanguageModel
from mibench.methods.returned import artifact_of
from mibench.methods.variable_view import Ground, VariableView
from mibench.runner.cells.meter import Meter
from mibench.runner.cells.work import CellRun, call_method
from mibench.runner.variables.ground import EVERYWHERE, labelled, options_of, solved_rows
from mibench.tasks.interchange import EncodedInterchange
from mibench.tracks.linear_target import LinearFit, fit_linear
from mibench.tracks.site_groups import Group, Size, groups_of


@dataclass(frozen=True)
class Stage:
    """What a method is run on; controls run it on another model or with other labels.

    Attributes:
        work: The cell.
        model: The model that the method sees.
        train: Training rows that the model solves; none where the method sees none.
        validation: Validation rows, likewise.
        coefficients: Of the linear target.
        meter: Counts passes.
    """

    work: CellRun
    model: LanguageModel
    train: tuple[EncodedInterchange, ...]
    validation: tuple[EncodedInterchange, ...]
    coefficients: tuple[float, ...] | None
    meter: Meter

    @classmethod
    def of(cls, work: CellRun, meter: Meter) -> Stage:
        """The stage of a cell itself."""
        needs = work.job.method.needs
        fit = linear_fit(work)
        return cls(
            work,
            work.bench.model,
            rows_of(work, "train") if "train" in needs else (),
            rows_of(work, "validation") if "validation" in needs else (),
            None if fit is None else fit.coefficients,
            meter,
        )


def run_method(stage: Stage) -> Featurizers:
    """Run the method of a cell.

    Raises:
        MethodError: It returned something else than featurizers, or changed the model.
    """
    work = stage.work
    job, task = work.job, work.bench.variable_task(work.job.task)
    stage.meter.examples(len(stage.train))
    view = VariableView(
        model=stage.model,
        ground=Ground(
            task=task.name,
            model=work.bench.hf.name,
            variable=job.variable or "",
            groups=groups(work),
            size=lambda width: task.size(job.variable or "", width),
            training=task.parts.training,
            coefficients=stage.coefficients,
        ),
        train=stage.train,
        validation=stage.validation,
        options=options_of(job, work.bench, work.settings),
        seed=job.seed or 0,
        counter=stage.meter,
        progress=work.observer.stage("discover"),
    )
    call = "view.featurizers({site: (operations, 'all')})"
    found = artifact_of(call_method(work, view), Featurizers, job.method.name, noun="featurizers", call=call)
    where = work.cell.variable
    heads = [list(head) for head in where.heads] if where else []
    meta = {**found.meta, **({"heads": heads} if heads else {})}
    return replace(found, method=job.method.name, params=dict(job.params), meta=meta)


def groups(work: CellRun) -> tuple[Group, ...]:
    """The groups of sites of a cell."""
    if work.cell.variable is None:
        raise DataError("This cell has no causal variable.", why="It is of another track.", do="Run it there.")
    anatomy = work.bench.model.anatomy
    return groups_of(work.cell.variable, Size(anatomy.n_layers, anatomy.n_heads))


def rows_of(work: CellRun, split: str) -> tuple[EncodedInterchange, ...]:
    """The rows of a split that the model solves."""
    return solved_rows(work.job, work.bench, work.settings, split).rows


def linear_fit(work: CellRun) -> LinearFit | None:
    """The linear target of a cell, fitted on its training rows; None where the task has answers only."""
    task, where = work.bench.variable_task(work.job.task), work.cell.variable
    if task.parts.linear is None or where is None:
        return None
    rows = rows_of(work, "train")
    known = labelled(work.job, work.bench, work.settings, "train").digest
    key = (known, where.target_heads, len(rows))
    if key not in work.bench.fits:
        runs = Interchanges(work.bench.model, rows, options_of(work.job, work.bench, work.settings))
        sites = [Site(layer, EVERYWHERE, Component.HEAD, head) for layer, head in where.target_heads]
        work.bench.fits[key] = fit_linear(runs, rows, sites)
    return work.bench.fits[key]
