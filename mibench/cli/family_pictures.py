"""Records of dictionaries as panels of frontiers and as a grid of metrics, by family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mibench.cli.drawable_dictionaries import below
from mibench.core.errors import UsageError
from mibench.core.names import did_you_mean
from mibench.core.specs import Track
from mibench.leaderboard.columns import COLUMNS, Column
from mibench.leaderboard.families import Family, families, recipe_of, standing
from mibench.leaderboard.rows import Entry, Group, make_groups
from mibench.leaderboard.seeds import mean_metrics
from mibench.leaderboard.sparsity import L0
from mibench.leaderboard.text import plain
from mibench.metrics.sae.frontier import Window
from mibench.plots.frontier import Frontier, Panel
from mibench.plots.metric_grid import Grid, Row
from mibench.records.record import MetricValue, RunRecord

_MOST_PANELS, _MOST_ROWS, _MOST_COLUMNS = 9, 40, 24


@dataclass(frozen=True)
class Measured:
    """One metric of a group of comparable records.

    Attributes:
        group: The group.
        column: The metric.
        families: Families of the group.
        areas: Frontier area of each; without a number it says why.
        window: L0 that the areas are over; None: there is none that families share.
    """

    group: Group
    column: Column
    families: tuple[Family, ...]
    areas: tuple[MetricValue, ...]
    window: Window | None

    @property
    def higher_is_better(self) -> bool | None:
        """Direction as the records tell it, else as the metric declares it."""
        found = [record.metrics.get(self.column.metric) for one in self.families for record in one.good]
        told = {value.higher_is_better for value in found if value is not None}
        return told.pop() if len(told) == 1 else self.column.higher_is_better


def measured(entries: Sequence[Entry], wanted: Sequence[str] = ()) -> list[Measured]:
    """Return metrics of all groups of records, in the order of the leaderboard's columns.

    Args:
        entries: Records of dictionaries.
        wanted: Names of metrics; none: those by which families are compared on the leaderboard.

    Raises:
        UsageError: No record has such a metric.
    """
    found = []
    for group in make_groups(entries):
        members = families(group)
        found += [_measured(group, column, members) for column in _columns(group, wanted)]
    names = sorted({name for entry in entries for name in entry.record.metrics})
    missing = [name for name in wanted if all(one.column.metric != name for one in found)]
    if missing or not found:
        what = f"No record has a number of '{missing[0]}'." if missing else "No record has a number to compare."
        why = "They were scored on other tasks, or it is undefined on them, or they failed."
        hint = did_you_mean(missing[0], names) if missing else ""
        raise UsageError(what, why=why, do=f"{hint} Their metrics: {', '.join(names) or 'none'}.".strip())
    return found


def panels(shown: Sequence[Measured]) -> list[Panel]:
    """Return a panel for each metric.

    Raises:
        UsageError: There are too many.
    """
    if len(shown) > _MOST_PANELS:
        why = f"There are {len(shown)}, and a picture holds {_MOST_PANELS}."
        names = ", ".join(dict.fromkeys(one.column.metric for one in shown))
        raise UsageError("That is too many metrics to draw.", why=why, do=f"Choose with --metric: {names}.")
    return [
        Panel(
            title=one.column.title,
            below=below(one.group.cell),
            frontiers=tuple(
                Frontier(family.label, tuple(family.points(one.column.metric)), area)
                for family, area in zip(one.families, one.areas, strict=True)
            ),
            higher_is_better=one.higher_is_better,
        )
        for one in shown
    ]


def area_notes(shown: Sequence[Measured]) -> list[str]:
    """Return what areas are, over which L0, and why some are missing."""
    windows = list(dict.fromkeys(one.window for one in shown if one.window is not None))
    if len(windows) == 1:
        told = f"An area is the mean over log L0 in {windows[0]}, which the compared families all cover"
    elif windows:
        told = "An area is the mean over log L0 in what the families compared in a panel all cover"
    else:
        told = "No family has a frontier area over L0 20 to 200"
    missing = {
        f"{family.label}, {area.reason}"
        for one in shown
        for family, area in zip(one.families, one.areas, strict=True)
        if area.reason
    }
    reasons = [plain(reason, 160) for reason in sorted(missing)[:4]]
    return [told, *([f"No area (—): {'; '.join(reasons)}"] if reasons else [])]


def grid(shown: Sequence[Measured], by: str) -> Grid:
    """Return metrics by families, or by single dictionaries.

    Args:
        shown: The metrics.
        by: ``family``, ``dictionary``, or ``auto``: families if any has a frontier area.

    Raises:
        UsageError: There are too many rows or columns to read.
    """
    if by == "auto":
        by = "family" if any(area.value is not None for one in shown for area in one.areas) else "dictionary"
    values = [_by_family(one) if by == "family" else _by_dictionary(one) for one in shown]
    columns = tuple(dict.fromkeys(name for row in values for name in row))
    if len(shown) > _MOST_ROWS or len(columns) > _MOST_COLUMNS:
        why = (
            f"It would have {len(shown)} rows and {len(columns)} columns; {_MOST_ROWS} and {_MOST_COLUMNS} can be read."
        )
        raise UsageError("The grid is too large.", why=why, do="Choose with --metric, or name fewer records.")
    several = len({one.group.id for one in shown}) > 1
    rows = [
        Row(
            plain(one.column.title + (f" · {one.group.cell.task.name}" if several else ""), 60),
            tuple(row.get(name) or _unmeasured(one) for name in columns),
            one.higher_is_better,
        )
        for one, row in zip(shown, values, strict=True)
    ]
    areas = "A number is a family's frontier area, the mean over log L0 in what the compared families all cover"
    single = "A number is that of one dictionary, or the mean over seeds of one recipe; compare them at equal L0"
    controls = frozenset(name for one in shown for name in _controls(one, by))
    return Grid(tuple(rows), columns, areas if by == "family" else single, controls)


def _columns(group: Group, wanted: Sequence[str]) -> list[Column]:
    metrics = [entry.record.metrics for row in group.rows for entry in row.entries]
    numbers = {name for own in metrics for name, value in own.items() if value.value is not None}
    known = {column.metric: column for column in COLUMNS[Track.SAE]}
    if wanted:
        return [known.get(name) or Column(name, plain(name, 40)) for name in wanted if name in numbers]
    return [column for column in known.values() if column.headline and column.metric in numbers]


def _measured(group: Group, column: Column, members: tuple[Family, ...]) -> Measured:
    found = standing(members, column.metric)
    if found.window is None:
        return Measured(group, column, members, tuple(one.metric for one in found.areas), None)
    areas = []
    for family, own in zip(members, found.areas, strict=True):
        area = family.area(column.metric, found.window)
        if area.metric.value is not None and area.window != found.window:
            reason = f"it covers L0 {own.window}, the compared families {found.window}"
            areas.append(MetricValue(value=None, reason=reason))
        else:
            areas.append(area.metric)
    return Measured(group, column, members, tuple(areas), found.window)


def _controls(one: Measured, by: str) -> set[str]:
    """Names of the columns of controls, and of families that are on a board of their own."""
    own = [family for family in one.families if family.board is not None]
    if by == "family":
        return {family.label for family in own}
    return {_name(family, recipe, records) for family in own for recipe, records in _recipes(family).items()}


def _by_family(one: Measured) -> dict[str, MetricValue]:
    return {family.label: area for family, area in zip(one.families, one.areas, strict=True)}


def _by_dictionary(one: Measured) -> dict[str, MetricValue]:
    found = {}
    for family in one.families:
        for recipe, records in _recipes(family).items():
            found[_name(family, recipe, records)] = _number(one.column.metric, records)
    return found


def _recipes(family: Family) -> dict[str, list[RunRecord]]:
    """Records of a family by what sets their sparsity."""
    recipes: dict[str, list[RunRecord]] = {}
    for record in family.records:
        recipes.setdefault(recipe_of(record), []).append(record)
    return recipes


def _name(family: Family, recipe: str, records: Sequence[RunRecord]) -> str:
    """Name of a recipe, with its L0 where nothing else sets it."""
    values = [record.metrics[L0].value for record in records if L0 in record.metrics]
    known = [value for value in values if value is not None]
    sparsity = recipe or (f"L0 {sum(known) / len(known):.3g}" if known else "")
    return plain(" ".join(filter(None, (family.label, sparsity))), 60)


def _number(metric: str, records: Sequence[RunRecord]) -> MetricValue:
    stopped = next((record for record in records if record.status != "ok"), None)
    if stopped is not None:
        why = stopped.problem.what if stopped.problem else "no reason was recorded"
        return MetricValue(value=None, reason=plain(f"the cell {stopped.status}: {why}", 160))
    return mean_metrics(records).get(metric) or MetricValue(value=None, reason=f"{metric} was not measured")


def _unmeasured(one: Measured) -> MetricValue:
    return MetricValue(value=None, reason=plain(f"not scored on {one.group.cell.task.name}", 160))
