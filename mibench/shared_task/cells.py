"""The cells of a round one by one, and which of them a record is of."""

from __future__ import annotations

from dataclasses import dataclass

from mibench.core.specs import Cell, Level, Track
from mibench.intake.round import CellGroup, RoundRules
from mibench.leaderboard.columns import COLUMNS, Column
from mibench.tasks.variable_task import VARIABLE_TASKS

NO_MODEL = "none"
"""What records name in place of a model where data are generated."""


@dataclass(frozen=True)
class RoundCell:
    """What entries are held against each other in.

    Attributes:
        track: Its track.
        task: Name of the task.
        model: Name of the model; empty: the data are generated.
        part: Level of a circuit, causal variable, or hook; None: dictionaries anywhere.
    """

    track: Track
    task: str
    model: str
    part: str | None

    @property
    def title(self) -> str:
        """What a reader sees."""
        part = f" · {self.part}" if self.part else ""
        return f"{self.task}{part}{f' on {self.model}' if self.model else ''}"

    def takes(self, cell: Cell, digests: dict[str, str]) -> bool:
        """Whether a record's cell is this one.

        Args:
            cell: Cell of the record.
            digests: Digest of each model of the round: a model of a folder has another name in records.
        """
        named = cell.model.name == (self.model or NO_MODEL)
        known = self.model != "" and cell.model.digest == digests.get(self.model)
        place = cell.track is self.track and cell.task.name == self.task and (named or known)
        return place and self.part in (None, part_of(cell))


def part_of(cell: Cell) -> str | None:
    """Level, variable or hook of a cell, as manifests write them."""
    if cell.variable is not None:
        return cell.variable.name
    if cell.dictionary is not None:
        written = cell.dictionary.output
        return cell.dictionary.hook + (f"->{written}" if written else "")
    return None if cell.level is None else cell.level.value


def cells_of(rules: RoundRules, track: Track) -> list[RoundCell]:
    """The cells of a track, each once, in the order of the rules."""
    found = [
        RoundCell(track, task, model, part)
        for group in rules.cells
        if group.track is track
        for task in group.tasks
        for model in group.models or ("",)
        for part in parts_of(group, task)
    ]
    return list(dict.fromkeys(found))


def parts_of(group: CellGroup, task: str) -> tuple[str | None, ...]:
    """Levels, variables or hooks of a task in a group; the variables of the task where the group names none."""
    if group.track is Track.CIRCUIT:
        return ((group.level or Level.EDGE).value,)
    if group.track is Track.SAE:
        return group.hooks or (None,)
    component = VARIABLE_TASKS.components.get(task)
    return group.variables or tuple(component.metadata.get("variables", ()) if component else ())


def headline_column(track: Track, metric: str) -> Column:
    """The column of a metric: that of the leaderboard, or a plain one."""
    known = next((column for column in COLUMNS[track] if column.metric == metric), None)
    return known or Column(metric, metric)


def numbered(track: Track, metric: str) -> list[str]:
    """Names in records of a metric that is registered without its number, such as ``probe_accuracy_k``."""
    return [column.metric for column in COLUMNS[track] if column.declared == metric]
