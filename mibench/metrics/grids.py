"""Long tables to arrays: where each row of a table lies among rows × columns, each exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.metrics.faithfulness import FloatArray

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Faults:
    """What is wrong with a table that does not fill its array: said of rows listed twice, and of all else."""

    twice: str
    others: str


@dataclass(frozen=True)
class Grid:
    """Where the rows of a long table lie.

    Attributes:
        places: Index of each row in the flattened array.
        shape: Rows and columns of the array.
    """

    places: Codes
    shape: tuple[int, int]

    @classmethod
    def of(cls, rows: Codes, columns: Codes, where: Codes, faults: Faults) -> Grid | str:
        """Place the rows of a table, or return what is wrong with it.

        Args:
            rows: Number of each row's example, in any order, from 0.
            columns: Number of each row's column, from 0.
            where: Place of each example in the array; -1: it does not belong there. All places have to be taken.
            faults: What to say.
        """
        width, n_columns = len(where), int(columns.max(initial=-1)) + 1
        if np.bincount(rows * n_columns + columns).max(initial=0) > 1:
            return faults.twice
        if (where < 0).any() or len(rows) != width * n_columns:
            return faults.others
        return cls(where[rows] * n_columns + columns, (width, n_columns))

    def fill(self, values: NDArray[Any]) -> FloatArray:
        """Return the values in their places. `[rows of the table] -> [rows, columns]`."""
        found = np.empty(self.shape)
        found.ravel()[self.places] = values.astype(np.float64)
        return found
