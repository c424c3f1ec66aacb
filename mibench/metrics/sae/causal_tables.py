"""Tables of the causal family as arrays: what each intervention did to each row, and whom rows are resampled with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.metrics.bootstrap import Resampling, resampled_means
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.long_tables import contradiction

EXAMPLES, FIDELITY, SWAPPED, SELECTION, ATTRITION = "examples", "fidelity", "swapped", "selection", "attrition"
"""Names of the tables."""

CHOSEN, NO_ERROR, ALL, RANDOM, NOOP, FULL, ORACLE, SUBSPACE = (
    "correct", "no_error", "all_latents", "random_latents", "noop", "full_vector", "oracle", "random_subspace",
)  # fmt: skip
"""What was done: the chosen latents swapped, with the base's error and without; all latents; as many at random;
nothing; the whole activation replaced; the supervised subspace; a random one of the same size."""

INTERVENTIONS = (CHOSEN, NO_ERROR, ALL, RANDOM, NOOP, FULL, ORACLE, SUBSPACE)
EXAMPLE_COLUMNS = ("variable", "set", "example", "cluster", "cause", *INTERVENTIONS)
FIDELITY_COLUMNS = ("set", "example", "cluster", "squared_error", "squared_distance")

Kind = Literal["cause", "isolate"]
KINDS: tuple[Kind, ...] = ("cause", "isolate")
Scored = FloatArray | str
"""Values, or why there are none."""

_LACKING = {
    "cause": "no row's answer is changed by the interchange (cause), so there is nothing to find",
    "isolate": "every row's answer is changed by the interchange, so there is none that must stay (isolate)",
}


@dataclass(frozen=True)
class CausalMeans:
    """Share of right answers, of the sample or of every bootstrap replicate.

    Attributes:
        rates: By variable and kind, those that have rows only. `[..., interventions]`
    """

    rates: Mapping[tuple[str, Kind], FloatArray]

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that have rows."""
        return tuple(dict.fromkeys(variable for variable, _ in self.rates))

    def of(self, kind: Kind, intervention: str, variable: str | None = None) -> Scored:
        """Share of right answers of a kind of rows, mean over variables, or of one of them. `[...]`."""
        names = self.variables if variable is None else (variable,)
        found = [self.rates[name, kind] for name in names if (name, kind) in self.rates]
        if not found:
            return _LACKING[kind]
        return np.asarray(np.mean(found, axis=0)[..., INTERVENTIONS.index(intervention)])

    def disentangle(self, intervention: str, variable: str | None = None) -> Scored:
        """Mean of both kinds. `[...]`."""
        changed, kept = (self.of(kind, intervention, variable) for kind in KINDS)
        if isinstance(changed, str) or isinstance(kept, str):
            return changed if isinstance(changed, str) else kept
        return (changed + kept) / 2


@dataclass(frozen=True)
class CausalExamples:
    """The table of examples as arrays.

    Attributes:
        variables: Names, in the order of the table.
        variable: Variable of each row, by place. `[rows]`
        cause: Whether the answer is to change. `[rows]`
        cluster: Whom each row is resampled with, by place. `[rows]`
        correct: Right answers, or the share of them over draws. `[rows, interventions]`
    """

    variables: tuple[str, ...]
    variable: NDArray[np.int64]
    cause: BoolArray
    cluster: NDArray[np.int64]
    correct: FloatArray

    @property
    def n_clusters(self) -> int:
        """Number of clusters."""
        return int(self.cluster.max()) + 1

    def means(self) -> CausalMeans:
        """Means of the sample."""
        return self._means(None)

    def replicates(self, resampling: Resampling) -> CausalMeans:
        """Means of every replicate: clusters are drawn with replacement, all variables and interventions alike."""
        return self._means(resampling)

    def _means(self, resampling: Resampling | None) -> CausalMeans:
        places = list(product(range(len(self.variables)), KINDS))
        sums = np.stack([self._sums(self._where(*place)) for place in places], axis=1)
        flat = sums.reshape(self.n_clusters, -1)
        totals = flat.mean(0) if resampling is None else resampled_means(flat, resampling)
        totals = totals.reshape(*totals.shape[:-1], len(places), -1)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = totals[..., :-1] / totals[..., -1:]
        there = [bool(self._where(*place).any()) for place in places]
        return CausalMeans(
            {
                (self.variables[variable], kind): rates[..., index, :]
                for index, (variable, kind) in enumerate(places)
                if there[index]
            }
        )

    def _where(self, variable: int, kind: Kind) -> BoolArray:
        return np.asarray((self.variable == variable) & (self.cause == (kind == "cause")))

    def _sums(self, where: BoolArray) -> FloatArray:
        """Right answers by intervention and, last, rows, of each cluster. `[clusters, interventions + 1]`."""
        values = np.column_stack([self.correct, np.ones(len(self.correct))]) * where[:, None]
        found = np.zeros((self.n_clusters, values.shape[1]))
        np.add.at(found, self.cluster, values)
        return found


def read_examples(table: pd.DataFrame) -> CausalExamples:
    """Check the table of examples and return it as arrays.

    Raises:
        DataError: Columns or values are missing, a row comes twice, or a share is not in [0, 1].
    """
    checked(table, EXAMPLE_COLUMNS, EXAMPLES)
    if table.duplicated(["variable", "set", "example"]).any():
        raise contradiction(f"a row is listed twice in the {EXAMPLES} table")
    correct = table[list(INTERVENTIONS)].to_numpy(dtype=np.float64)
    if not ((correct >= 0) & (correct <= 1)).all() or not table["cause"].isin([0, 1]).all():
        raise contradiction(f"the {EXAMPLES} table has a share that is not from 0 to 1")
    variable, names = pd.factorize(table["variable"].astype(str))
    cluster, _ = pd.factorize(table["cluster"].astype(str), sort=True)
    return CausalExamples(
        tuple(names), variable.astype(np.int64), table["cause"].to_numpy(dtype=bool), cluster.astype(np.int64), correct
    )


def checked(table: pd.DataFrame, wanted: tuple[str, ...], which: str) -> None:
    """Refuse a table that lacks columns or values.

    Raises:
        DataError: It does.
    """
    missing = [name for name in wanted if name not in table.columns]
    if missing:
        raise contradiction(f"the {which} table has no column {', '.join(missing)}")
    if table.empty or table[list(wanted)].isna().any(axis=None):
        raise contradiction(f"the {which} table is empty, or has gaps in a column that needs a value in every row")


def disentangled(right: BoolArray, cause: BoolArray) -> FloatArray:
    """Mean of the shares of right answers of both kinds of rows, or of the one kind there is.

    Args:
        right: Right answers of each intervention. `[interventions, rows]`
        cause: Whether the answer is to change. `[rows]`

    Returns:
        `[interventions]`
    """
    kinds = [right[:, kind].mean(-1) for kind in (cause, ~cause) if kind.any()]
    return np.asarray(np.mean(kinds, axis=0), dtype=np.float64)
