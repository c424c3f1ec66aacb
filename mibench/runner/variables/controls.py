"""Expressivity controls: the same method where there is nothing to find, scored in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mibench.core.errors import UsageError
from mibench.core.names import did_you_mean
from mibench.engine.controls.shuffled_labels import shuffled_labels
from mibench.engine.controls.shuffled_weights import shuffled_weights
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.model import LanguageModel
from mibench.runner.cells.meter import Meter
from mibench.runner.cells.work import CellRun
from mibench.runner.variables.ground import options_of
from mibench.runner.variables.stage import Stage, groups, rows_of, run_method
from mibench.tasks.interchange import EncodedInterchange
from mibench.tracks.variable import Scored, example_table, interventions_of

Rows = tuple[EncodedInterchange, ...]


@dataclass(frozen=True)
class Control:
    """A world in which the variable is not to be found.

    Attributes:
        model: From the cell's model and seed, the model that is used.
        rows: From rows that the real model solves and a seed, the rows that are used.
    """

    model: Callable[[LanguageModel, int], LanguageModel]
    rows: Callable[[Rows, int], Rows]


def _same_model(model: LanguageModel, seed: int) -> LanguageModel:  # noqa: ARG001
    return model


def _same_rows(rows: Rows, seed: int) -> Rows:  # noqa: ARG001
    return rows


CONTROLS: Mapping[str, Control] = {
    "control-weights": Control(shuffled_weights, _same_rows),
    "control-labels": Control(_same_model, shuffled_labels),
}
"""What can be asked for as an extra; each gives a table of its name, with underscores."""


def check_controls(extras: frozenset[str]) -> None:
    """Check that these extras exist for causal variables.

    Raises:
        UsageError: One does not.
    """
    for name in sorted(extras - CONTROLS.keys()):
        raise UsageError(
            f"'{name}' is not measured of causal variables.",
            why=f"Their extras are {', '.join(CONTROLS)}.",
            do=did_you_mean(name, CONTROLS),
        )


def controls(work: CellRun, meter: Meter) -> dict[str, pd.DataFrame]:
    """Run the controls that were asked for; tables by name, columns as of the examples.

    A method that sees no training rows finds the same in every world of labels, and is controlled all the same.
    """
    asked = [name for name in CONTROLS if name in work.settings.extras]
    return {name.replace("-", "_"): _table(CONTROLS[name], work, meter) for name in asked}


def _table(control: Control, work: CellRun, meter: Meter) -> pd.DataFrame:
    seed, stage = work.job.seed or 0, Stage.of(work, meter)
    model = control.model(work.bench.model, seed)
    stage = replace(
        stage,
        model=model,
        train=control.rows(stage.train, seed),
        validation=control.rows(stage.validation, seed + 1),
    )
    rows = control.rows(rows_of(work, work.settings.split), seed + 2)
    found, interventions = interventions_of(run_method(stage), groups(work), model)
    options = options_of(work.job, work.bench, work.settings)
    runs = Interchanges(model, rows, options, meter, work.observer.stage("control"))
    table = example_table(found, runs.run(interventions), Scored(runs, rows, stage.coefficients))
    return table.assign(noop=np.tile(runs.plain().correct[0], len(found)))
