"""What the causal-variable track measured for one artifact, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import pandas as pd

from mibench.core.errors import DataError
from mibench.core.specs import Track
from mibench.records.record import RunRecord
from mibench.records.store import Store

ROW = ("set", "example")
EXAMPLE_COLUMNS = (*ROW, "group", "component", "layer", "head", "position", "cause", "correct")
NOOP_COLUMNS = (*ROW, "cause", "correct")
SELECTION_COLUMNS = ("group", "layer", "position", "head", "score", "chosen")
TARGET_COLUMNS = ("contrast", "target")
"""Columns of tasks with a linear target, NaN in all rows of the others."""

JOINT = -1
"""Layer of a group of several sites that are intervened on together."""

CONTROL_WEIGHTS = "control_weights"
"""Extra table: the same method on the model with shuffled weights, columns `EXAMPLE_COLUMNS` and ``noop``."""
CONTROL_LABELS = "control_labels"
"""Extra table: the same method with labels of the wrong rows, likewise."""
CONTROLS = (CONTROL_WEIGHTS, CONTROL_LABELS)


class VariableTables(NamedTuple):
    """What the track measured for one artifact.

    Attributes:
        examples: One row per counterfactual set × example × group of sites, columns `EXAMPLE_COLUMNS`; with a linear
            target also `TARGET_COLUMNS`. A column ``n_layers`` says how many layers the model has.
        noop: One row per set × example, columns `NOOP_COLUMNS`: the base prompt, nothing swapped.
        selection: One row per group, columns `SELECTION_COLUMNS`, measured on validation; one row is chosen, by
            ``normalised`` where there is such a number, else by ``score``.
        attrition: One row per set: which rows were left out before scoring.
        n_layers: Layers of the model; None: the examples say.
        layers: Layers that the cell looks at; None: all.
        extras: Tables that cost more and were asked for, by name: `CONTROL_WEIGHTS`, `CONTROL_LABELS`.
    """

    examples: pd.DataFrame
    noop: pd.DataFrame
    selection: pd.DataFrame
    attrition: pd.DataFrame | None = None
    n_layers: int | None = None
    layers: tuple[int, ...] | None = None
    extras: Mapping[str, pd.DataFrame] = MappingProxyType({})

    def by_name(self) -> dict[str, pd.DataFrame]:
        """The tables under the names that a record stores them by, from which `stored` makes them again."""
        depth = {} if self.n_layers is None else {"n_layers": self.n_layers}
        found = {"examples": self.examples.assign(**depth), "noop": self.noop, "selection": self.selection}
        found |= {} if self.attrition is None else {"attrition": self.attrition}
        return found | dict(self.extras)

    @classmethod
    def stored(cls, record: RunRecord, store: Store) -> VariableTables:
        """The tables of a record, read from its store.

        Raises:
            DataError: The record is of another track, or has no numbers.
            StoreError: A table is missing or damaged.
        """
        if record.cell.track is not Track.VARIABLE or record.problem is not None:
            raise DataError(
                "There are no scored sites.",
                why=record.problem.what if record.problem else f"The record's track is {record.cell.track}.",
                do="Give records of the variable track that were scored.",
            )
        examples, noop, selection = (store.table(record, name) for name in ("examples", "noop", "selection"))
        attrition = store.table(record, "attrition") if "attrition" in record.tables else None
        layers = record.cell.variable.layers if record.cell.variable else None
        extras = {name: store.table(record, name) for name in CONTROLS if name in record.tables}
        return cls(examples, noop, selection, attrition, None, layers, extras)
