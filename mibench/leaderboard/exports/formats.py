"""Formats that tables are exported to, by name, and which tables are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mibench.core.errors import UsageError
from mibench.leaderboard.exports.board_json import json_table
from mibench.leaderboard.exports.latex import latex_tables
from mibench.leaderboard.exports.parquet import parquet_table
from mibench.leaderboard.rows import Group
from mibench.leaderboard.tables import csv_table, markdown_page
from mibench.leaderboard.view import GroupView

FORMATS: Mapping[str, Callable[[Sequence[GroupView]], bytes]] = MappingProxyType(
    {
        "latex": latex_tables,
        "csv": csv_table,
        "json": json_table,
        "parquet": parquet_table,
        "markdown": markdown_page,
    }
)
"""What makes the bytes of a format from tables."""


@dataclass(frozen=True)
class Wanted:
    """Which tables: those that agree in everything that is not empty.

    Attributes:
        track: Track.
        task: Name of the task.
        model: Name of the model.
    """

    track: str = ""
    task: str = ""
    model: str = ""

    def of(self, groups: Sequence[GroupView]) -> list[GroupView]:
        """Return the tables that are wanted.

        Raises:
            UsageError: None is.
        """
        found = [view for view in groups if self._takes(view.group)]
        if groups and not found:
            there = sorted({f"{view.group.cell.task.name} on {view.group.cell.model.name}" for view in groups})
            raise UsageError(
                "There is no such table.",
                why=f"There are tables of {', '.join(there)}.",
                do="Give --track, --task and --model as the records have them.",
            )
        return found

    def _takes(self, group: Group) -> bool:
        has = (group.track.value, group.cell.task.name, group.cell.model.name)
        return all(wanted in {"", own} for wanted, own in zip((self.track, self.task, self.model), has, strict=True))
