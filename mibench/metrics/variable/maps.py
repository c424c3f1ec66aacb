"""Where a variable was found: one number a layer and position (or head), less what doing nothing gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mibench.core.errors import DataError
from mibench.metrics.bootstrap import MAX_UNUSABLE, Resampling
from mibench.metrics.faithfulness import BoolArray, FloatArray
from mibench.metrics.variable.examples import Group, VariableExamples, read_tables
from mibench.metrics.variable.means import Means, measure, sample_means
from mibench.metrics.variable.scores import shared
from mibench.metrics.variable.tables import JOINT, VariableTables

POOLED = "mean over sets"
CHANGE, STAY = "must change", "must stay"
"""Maps of rows whose answer the interchange must change, and of those whose answer must stay."""


@dataclass(frozen=True)
class SiteMap:
    """One map.

    Attributes:
        name: `CHANGE`, `STAY`, `POOLED`, or the counterfactual set.
        values: NaN where there is no site. `[layers, columns]`
        separable: Where the 95 % interval leaves 0 out; None: no interval was asked for. `[layers, columns]`
        n: Rows that the numbers rest on.
        floor: What doing nothing gives, and was subtracted; None: something else was subtracted.
    """

    name: str
    values: FloatArray
    separable: BoolArray | None
    n: int
    floor: float | None


@dataclass(frozen=True)
class SiteMaps:
    """Maps of both kinds of rows where there are both, the map over all sets, then one for each.

    Attributes:
        layers: Layers that have a site, ascending.
        columns: Names of positions, or of heads.
        maps: All with the same layers and columns.
        meaning: What the numbers are.
        chosen: Place of the site that was chosen on validation; None: several sites, or a difference of maps.
        joint: Groups of several sites, which are on no map, with their numbers over all sets.
    """

    layers: tuple[int, ...]
    columns: tuple[str, ...]
    maps: tuple[SiteMap, ...]
    meaning: str
    chosen: tuple[int, int] | None = None
    joint: tuple[tuple[str, float], ...] = ()

    @property
    def axis(self) -> str:
        """What the columns are."""
        return "head" if all(name.startswith("head ") for name in self.columns) else "position"

    @property
    def values(self) -> FloatArray:
        """The numbers of all maps; NaN where there is no site. `[maps, layers, columns]`."""
        return np.stack([each.values for each in self.maps])

    @property
    def largest(self) -> float:
        """Largest magnitude on any map; 0 where there is none."""
        return float(np.max(np.abs(self.values), where=np.isfinite(self.values), initial=0.0))

    @property
    def words(self) -> str:
        """The maps in a sentence, for those who do not see them."""
        values = self.maps[0].values
        if not np.isfinite(values).any():
            return f"{self.meaning}: no number."
        places = {"highest": int(np.nanargmax(values)), "lowest": int(np.nanargmin(values))}
        ends = [f"{word} {self._at(*divmod(place, values.shape[1]))}" for word, place in places.items()]
        chosen = [f"chosen on validation {self._at(*self.chosen)}"] if self.chosen else []
        return f"{self.meaning}, by layer and {self.axis}, {self.maps[0].name}: {', '.join([*ends, *chosen])}."

    def _at(self, row: int, column: int) -> str:
        return f"{self.maps[0].values[row, column]:+.2f} at layer {self.layers[row]}, {self.columns[column]}"


def site_maps(tables: VariableTables, resampling: Resampling | None = None) -> SiteMaps:
    """Return where the variable was found: IIA − no-op, or the share of the no-op's squared error that is removed.

    Args:
        tables: What was measured.
        resampling: How to tell numbers from 0; None: do not.

    Raises:
        DataError: The tables are not usable, or have no single site.
    """
    examples = read_tables(tables)
    sample = sample_means(examples)
    effects = _Effects(_effects(sample), None)
    if resampling is not None:
        effects = _Effects(effects.sample, _effects(measure(examples, resampling).replicates))
    grid = _Grid(examples)
    linear = sample.error is not None
    floors = None if linear else _levels(sample)[:, -1]
    return SiteMaps(
        grid.layers,
        grid.columns,
        _maps(grid, effects, examples, floors),
        "share of the no-op's squared error removed" if linear else "IIA − no-op",
        grid.places.get(examples.chosen),
        _joint(examples, effects.sample[_names(examples).index(POOLED)]),
    )


def difference_maps(first: VariableTables, second: VariableTables, resampling: Resampling | None = None) -> SiteMaps:
    """Return the first's numbers less the second's, at the sites and on the rows that both have.

    Raises:
        DataError: The tables are not usable, or share no rows or no single site.
    """
    sides = shared(read_tables(first), read_tables(second))
    a, b = sides
    known = {group.name: index for index, group in enumerate(b.groups)}
    pairs = [(index, known[group.name]) for index, group in enumerate(a.groups) if group.name in known]
    grid = _Grid(a, tuple(one for one, _ in pairs))
    both = [_effects(sample_means(side)) for side in sides]
    effects = _Effects(_minus(both, pairs), None)
    if resampling is not None:
        drawn = [_effects(measure(side, resampling).replicates) for side in sides]
        effects = _Effects(effects.sample, _minus(drawn, pairs))
    what = "IIA" if a.error is None else "share of the no-op's squared error removed"
    return SiteMaps(grid.layers, grid.columns, _maps(grid, effects, a), f"difference of {what}")


@dataclass(frozen=True)
class _Effects:
    """Numbers of all groups, in the order of `_names`. `[maps, groups]`, `[B, maps, groups]`."""

    sample: FloatArray
    replicates: FloatArray | None

    @property
    def separable(self) -> BoolArray | None:
        """Where the interval leaves 0 out. `[maps, groups]`."""
        if self.replicates is None:
            return None
        usable = np.isfinite(self.replicates).mean(axis=0) >= 1 - MAX_UNUSABLE
        # One pass over replicates; a column of NaN would warn.
        kept = np.where(np.isfinite(self.replicates), self.replicates, 0.0)
        low, high = np.quantile(kept, [0.025, 0.975], axis=0)
        return np.asarray(usable & ((low > 0) | (high < 0)))


def _names(examples: VariableExamples) -> tuple[str, ...]:
    """Names of the maps."""
    both = examples.error is None and examples.cause.any() and not examples.cause.all()
    return (*((CHANGE, STAY) if both else ()), POOLED, *examples.sets)


def _levels(means: Means) -> FloatArray:
    """Return each group's accuracy or error on each map, the no-op last. `[..., maps, groups + 1]`."""
    values = means.correct["all"] if means.error is None else means.error
    found = [values.mean(axis=-2, keepdims=True), values]
    if CHANGE in _names(means.examples):
        kinds = [means.correct[kind].mean(axis=-2, keepdims=True) for kind in ("cause", "isolate")]
        found = [*kinds, *found]
    return np.concatenate(found, axis=-2)


def _effects(means: Means) -> FloatArray:
    """Return each group's number on each map. `[..., maps, groups]`."""
    values = _levels(means)
    own, idle = values[..., :-1], values[..., -1:]
    if means.error is None:
        return np.asarray(own - idle)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(idle > 0, 1 - own / idle, np.nan)


def _minus(sides: Sequence[FloatArray], pairs: Sequence[tuple[int, int]]) -> FloatArray:
    """Return the difference at the groups of the first that are paired; NaN at the others."""
    first, second = sides
    found = np.full(first.shape, np.nan)
    for one, other in pairs:
        found[..., one] = first[..., one] - second[..., other]
    return found


class _Grid:
    """Where each group of one site is drawn.

    Attributes:
        layers: Rows.
        columns: Names of the columns.
        places: Row and column by the index of the group.
    """

    def __init__(self, examples: VariableExamples, among: Sequence[int] | None = None) -> None:
        indices = range(len(examples.groups)) if among is None else among
        single = {index: examples.groups[index] for index in indices if examples.groups[index].layer != JOINT}
        if not single:
            raise DataError(
                "There is no map to draw.",
                why="No single site was scored" + (" for both." if among is not None else "; its sites go together."),
                do="Draw records with sites at layers and positions.",
            )
        keys = sorted(
            {_column(group) for group in single.values()}, key=lambda key: (examples.positions.index(key[0]), key[1])
        )
        one_position = len({position for position, _ in keys}) == 1
        self.layers = tuple(sorted({group.layer for group in single.values()}))
        self.columns = tuple(_name(position, head, one_position=one_position) for position, head in keys)
        self.places = {
            index: (self.layers.index(group.layer), keys.index(_column(group))) for index, group in single.items()
        }

    def fill(self, values: FloatArray, blank: float = np.nan) -> FloatArray:
        """Return the numbers of groups `[groups]` as a map, ``blank`` where there is no site."""
        found = np.full((len(self.layers), len(self.columns)), blank)
        for index, place in self.places.items():
            found[place] = values[index]
        return found


def _column(group: Group) -> tuple[str, int]:
    return group.position, group.head


def _name(position: str, head: int, *, one_position: bool) -> str:
    if head < 0:
        return position
    return f"head {head}" if one_position else f"{position} · head {head}"


def _maps(
    grid: _Grid, effects: _Effects, examples: VariableExamples, floors: FloatArray | None = None
) -> tuple[SiteMap, ...]:
    names, changed = _names(examples), int(examples.cause.sum())
    known = {CHANGE: changed, STAY: len(examples.rows) - changed, POOLED: len(examples.rows)}
    sizes = [known[name] if name in known else int(examples.rows_of(name).sum()) for name in names]
    told = [None] * len(names) if floors is None else [float(floor) for floor in floors]
    # One row has no spread, neither by itself nor within a mean.
    smallest, separable = (
        [min(sizes) if name in known else size for name, size in zip(names, sizes, strict=True)],
        effects.separable,
    )
    return tuple(
        SiteMap(
            name,
            grid.fill(effects.sample[place]),
            None if separable is None else (grid.fill(separable[place], 0.0) > 0) & (smallest[place] > 1),
            sizes[place],
            told[place],
        )
        for place, name in enumerate(names)
    )


def _joint(examples: VariableExamples, values: FloatArray) -> tuple[tuple[str, float], ...]:
    groups = enumerate(examples.groups)
    return tuple((group.name, float(values[index])) for index, group in groups if group.layer == JOINT)
