"""Tables of the causal-variable track as arrays; what does not fit together is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.long_tables import contradiction
from mibench.metrics.variable.tables import (
    EXAMPLE_COLUMNS,
    JOINT,
    NOOP_COLUMNS,
    ROW,
    SELECTION_COLUMNS,
    TARGET_COLUMNS,
    VariableTables,
)
from mibench.metrics.variable.wide import Wide, pairs_of

_SITE = ("component", "layer", "head", "position")
_LARGEST = 1e100


@dataclass(frozen=True, order=True)
class Group:
    """Sites that are intervened on together; mostly one.

    Attributes:
        layer: Its layer; `JOINT` for several sites.
        head: Its head; −1 where there is none.
        position: Name of its position.
        component: What is replaced.
        name: Names of its sites.
    """

    layer: int
    head: int
    position: str
    component: str
    name: str


@dataclass(frozen=True)
class Control:
    """An expressivity control: correct answers of rows whose answer the interchange changes.

    Attributes:
        sets: Set of each row. `[rows]`
        correct: The no-op last. `[rows, groups + 1]`
    """

    sets: NDArray[np.str_]
    correct: FloatArray


@dataclass(frozen=True)
class VariableExamples:
    """The tables as arrays; the last column of every array of groups is the no-op.

    Attributes:
        rows: Set and example of each row, sorted.
        groups: Groups of sites, in the order of the selection, in which ties are broken.
        positions: Names of the positions in the order of the table, which is that of the task.
        cause: Whether the interchange changes the answer. `[rows]`
        correct: 1 where the answer after the intervention is the causal model's. `[rows, groups + 1]`
        error: Squared error from the linear target; None: there is none. `[rows, groups + 1]`
        target: The linear target; None: there is none. `[rows]`
        scores: What validation chose by, higher is better: ``normalised`` where it is defined, else ``score``; NaN:
            the group has none. `[groups]`
        chosen: Index of the group that was chosen on validation.
        n_layers: Layers of the model; None: not known.
        asked: Layers that the cell looks at; None: all.
        controls: Expressivity controls that were measured, by name.
    """

    rows: tuple[tuple[str, str], ...]
    groups: tuple[Group, ...]
    positions: tuple[str, ...]
    cause: BoolArray
    correct: FloatArray
    error: FloatArray | None
    target: FloatArray | None
    scores: FloatArray
    chosen: int
    n_layers: int | None
    asked: tuple[int, ...] | None
    controls: Mapping[str, Control]

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """Names of the counterfactual sets, sorted."""
        return tuple(dict.fromkeys(name for name, _ in self.rows))

    @cached_property
    def _set_of_row(self) -> NDArray[np.str_]:
        return np.array([name for name, _ in self.rows], dtype=str)

    def rows_of(self, name: str) -> BoolArray:
        """Tell which rows belong to a set. `[rows]`."""
        return np.asarray(self._set_of_row == name)

    @property
    def by_layer(self) -> dict[int, NDArray[np.int64]]:
        """Indices of the groups of each layer; where several sites go together, they alone, as one layer (as MIB)."""
        layers = np.array([group.layer for group in self.groups])
        units = [JOINT] if JOINT in layers else sorted(set(layers.tolist()))
        return {layer: np.flatnonzero(layers == layer) for layer in units}

    def best_of(self, indices: Sequence[int] | NDArray[np.int64]) -> int | None:
        """Return the group among these with the best validation score, the first of equals; None: none has one."""
        scored = [int(index) for index in indices if np.isfinite(self.scores[index])]
        return max(scored, key=lambda index: (self.scores[index], -index), default=None)

    def asks_the_same(self, other: VariableExamples) -> bool:
        """Whether both want the same of the same rows: which answers change, and the linear target."""
        if (self.target is None) != (other.target is None) or not np.array_equal(self.cause, other.cause):
            return False
        return self.target is None or other.target is None or np.allclose(self.target, other.target)

    def restricted(self, rows: set[tuple[str, str]]) -> VariableExamples:
        """Return these rows only."""
        kept = np.array([row in rows for row in self.rows], dtype=bool)
        return replace(
            self,
            rows=tuple(row for row in self.rows if row in rows),
            cause=self.cause[kept],
            correct=self.correct[kept],
            error=None if self.error is None else self.error[kept],
            target=None if self.target is None else self.target[kept],
        )


def read_tables(tables: VariableTables) -> VariableExamples:
    """Check the tables and return them as arrays.

    Raises:
        DataError: Columns, rows or groups are missing, doubled, or contradict each other.
    """
    noop = _noop(tables.noop)
    frame = _checked(tables.examples, EXAMPLE_COLUMNS, "examples")
    selection = _checked(tables.selection, SELECTION_COLUMNS, "selection")
    groups = _groups(frame, selection["group"].tolist())
    names = [group.name for group in groups]
    wide = Wide.of(frame, list(noop.index), names)
    correct = np.column_stack([wide.fill("correct"), noop["correct"]])
    if not np.array_equal(noop["cause"].to_numpy(dtype=bool)[wide.rows], frame["cause"].to_numpy(dtype=bool)):
        raise contradiction("the groups of sites and the no-op disagree about which answers the interchange changes")
    error, target = _linear(wide, noop)
    scores, chosen = _selection(selection, names)
    n_layers = _n_layers(tables)
    if n_layers is not None and max(group.layer for group in groups) >= n_layers:
        raise contradiction(f"a site lies in a layer that a model of {n_layers} layers does not have")
    return VariableExamples(
        rows=tuple((str(name), str(example)) for name, example in noop.index),
        groups=groups,
        positions=tuple(dict.fromkeys(frame["position"].tolist())),
        cause=noop["cause"].to_numpy(dtype=bool),
        correct=correct.astype(np.float64),
        error=error,
        target=target,
        scores=scores,
        chosen=chosen,
        n_layers=n_layers,
        asked=tables.layers,
        controls={name: _control(extra, name) for name, extra in tables.extras.items()},
    )


def _checked(frame: pd.DataFrame, wanted: Sequence[str], which: str) -> pd.DataFrame:
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise contradiction(f"the {which} table has no column {', '.join(missing)}")
    if frame.empty or frame[list(wanted)].isna().any(axis=None):
        raise contradiction(f"the {which} table is empty, or has gaps in a column that needs a value in every row")
    texts = {name: frame[name].astype(str) for name in (*ROW, "group", "component", "position") if name in wanted}
    truths = {name: _truths(frame[name], which) for name in ("cause", "correct", "chosen", "noop") if name in wanted}
    return frame.assign(**texts, **truths)


def _truths(column: pd.Series, which: str) -> pd.Series:
    if column.dtype == np.bool_:
        return column
    if not column.isin([0, 1]).all():
        raise contradiction(f"the {which} table says neither yes nor no in its column {column.name}")
    return column.astype(bool)


def _noop(table: pd.DataFrame) -> pd.DataFrame:
    noop = _checked(table, NOOP_COLUMNS, "noop").set_index(list(ROW)).sort_index()
    if noop.index.has_duplicates:
        raise contradiction("the noop table has a row twice")
    return noop


def _groups(frame: pd.DataFrame, order: Sequence[str]) -> tuple[Group, ...]:
    codes, names = pd.factorize(frame["group"])
    first = np.unique(codes, return_index=True)[1]
    columns = []
    for column in _SITE:
        values = frame[column].to_numpy()
        if not (values[first][codes] == values).all():
            raise contradiction("rows disagree about where a group of sites is")
        columns.append(values[first].tolist())
    found = [
        Group(int(layer), int(head), position, component, name)
        for component, layer, head, position, name in zip(*columns, names, strict=True)
    ]
    place = {name: index for index, name in reversed(list(enumerate(order)))}
    return tuple(sorted(found, key=lambda group: (place.get(group.name, len(order)), group)))


def _linear(wide: Wide, noop: pd.DataFrame) -> tuple[FloatArray | None, FloatArray | None]:
    """Return squared errors and targets, or nothing for a task without a linear target."""
    if not set(TARGET_COLUMNS) <= set(wide.frame.columns) & set(noop.columns) or noop["target"].isna().all():
        return None, None
    target = noop["target"].to_numpy(dtype=np.float64)
    contrast, told = (wide.fill(name) for name in TARGET_COLUMNS)
    contrast = np.column_stack([contrast, noop["contrast"].to_numpy(dtype=np.float64)])
    if not (np.abs(contrast) < _LARGEST).all() or not (np.abs(target) < _LARGEST).all():
        raise contradiction("a row of a task with a linear target has no finite contrast or target")
    if not (told == target[:, None]).all():
        raise contradiction("the groups of sites and the no-op disagree about the linear target")
    return (contrast - target[:, None]) ** 2, target


def _selection(frame: pd.DataFrame, names: Sequence[str]) -> tuple[FloatArray, int]:
    if frame["group"].duplicated().any() or int(frame["chosen"].sum()) != 1:
        raise contradiction("the selection table lists a group twice, or has not one chosen group")
    chosen = str(frame.loc[frame["chosen"], "group"].iloc[0])
    if chosen not in names:
        raise contradiction(f"the chosen group {chosen!r} was not measured")
    decided = "normalised" in frame.columns and frame["normalised"].notna().any()
    scores = frame.set_index("group")["normalised" if decided else "score"].astype(float).reindex(list(names))
    return np.asarray(scores, dtype=np.float64), list(names).index(chosen)


def _n_layers(tables: VariableTables) -> int | None:
    if tables.n_layers is not None or "n_layers" not in tables.examples.columns:
        return tables.n_layers
    told = tables.examples["n_layers"].unique()
    if len(told) != 1 or not told[0] >= 1:
        raise contradiction("rows disagree about how many layers the model has")
    return int(told[0])


def _control(table: pd.DataFrame, name: str) -> Control:
    frame = _checked(table, (*EXAMPLE_COLUMNS, "noop"), name)
    pairs, _, first = pairs_of(frame)
    rows = sorted(pairs)
    wide = Wide.of(frame, rows, sorted(set(frame["group"])))
    told = dict(zip(pairs, first.tolist(), strict=True))
    once = frame.iloc[[told[row] for row in rows]]
    cause, noop = once["cause"].to_numpy(dtype=bool), once["noop"].to_numpy(dtype=np.float64)
    sets = np.array([one for one, _ in rows])
    return Control(sets[cause], np.column_stack([wide.fill("correct"), noop])[cause])
