"""Long tables of rows and groups of sites to arrays of one row an example, one column a group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.grids import Codes, Faults, Grid
from mibench.metrics.long_tables import contradiction
from mibench.metrics.variable.tables import ROW

_FAULTS = Faults(
    twice="a row is listed twice for the same group of sites",
    others="the groups of sites and the no-op were not measured on the same rows",
)


@dataclass(frozen=True)
class Wide:
    """A table as arrays of one row an example, one column a group.

    Attributes:
        frame: The table.
        grid: Where its rows lie.
        rows: Which example each of its rows is of.
    """

    frame: pd.DataFrame
    grid: Grid
    rows: Codes

    @classmethod
    def of(cls, frame: pd.DataFrame, rows: Sequence[tuple[str, str]], names: Sequence[str]) -> Wide:
        """Place the rows of a table that has exactly these examples, each once in each of these groups."""
        pairs, codes, _ = pairs_of(frame)
        place = {row: index for index, row in enumerate(rows)}
        where = np.array([place.get(pair, -1) for pair in pairs], dtype=np.int64)
        where = where if len(pairs) == len(rows) else np.full(len(pairs), -1)
        column = {name: index for index, name in enumerate(names)}
        told, known = pd.factorize(frame["group"])
        found = Grid.of(codes, np.array([column[name] for name in known])[told], where, _FAULTS)
        if isinstance(found, str):
            raise contradiction(found)
        return cls(frame, found, where[codes])

    def fill(self, name: str) -> FloatArray:
        """Return a column of the table. `[rows, groups]`."""
        return self.grid.fill(self.frame[name].to_numpy())


def pairs_of(frame: pd.DataFrame) -> tuple[list[tuple[str, str]], Codes, Codes]:
    """Return the set and example of each example, the number of each row's, and the first row of each."""
    (sets, set_names), (examples, example_names) = (pd.factorize(frame[name]) for name in ROW)
    both, first, codes = np.unique(sets * len(example_names) + examples, return_index=True, return_inverse=True)
    told = (divmod(int(each), len(example_names)) for each in both)
    return [(set_names[one], example_names[other]) for one, other in told], codes, first
