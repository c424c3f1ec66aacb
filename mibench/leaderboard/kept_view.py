"""Tables as they were when they were last made: what is asked of them often is at hand, the rest is made anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

from mibench.core.specs import Cell
from mibench.leaderboard.columns import Column
from mibench.leaderboard.family_view import FamilyTable
from mibench.leaderboard.memory import KeptMemory
from mibench.leaderboard.rows import Group, Row
from mibench.leaderboard.view import GroupView, HeadView, RowView

_FRONT = "front"


def is_remembered(memory: KeptMemory) -> bool:
    """Whether a table need not be made anew."""
    return _FRONT in memory


def remembered(memory: KeptMemory, make: Callable[[], GroupView]) -> GroupView:
    """Return a table that is made only as far as it is not remembered.

    Args:
        memory: What the table gave before.
        make: Makes it.
    """
    if is_remembered(memory):
        return KeptView(memory, make)
    made = replace(make(), memory=memory)
    memory.recall_json(_FRONT, lambda: _front(made))
    return made


def _front(made: GroupView) -> dict[str, Any]:
    told = {name: getattr(made, name) for name in ("facts", "notes", "warnings")}
    return told | {"cell": made.group.cell.model_dump(mode="json"), "twins": made.group.twins}


class KeptGroup(Group):
    """A group whose rows are read when they are asked for."""

    def __init__(self, front: dict[str, Any], rows: Callable[[], tuple[Row, ...]]) -> None:
        twins = tuple((name, shown) for name, shown in front["twins"])
        own = {"cell": Cell.model_validate(front["cell"]), "twins": twins, "_rows": rows}
        self.__dict__.update(own)

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows."""
        found: tuple[Row, ...] = self.__dict__["_rows"]()
        return found


class KeptView(GroupView):
    """A table whose rows are made when they are asked for."""

    def __init__(self, memory: KeptMemory, make: Callable[[], GroupView]) -> None:
        front = memory.recall_json(_FRONT, dict)
        own = {name: tuple(front[name]) for name in ("facts", "notes", "warnings")}
        group = KeptGroup(front, lambda: self._made.group.rows)
        self.__dict__.update(own | {"memory": memory, "group": group, "_make": make})

    @cached_property
    def _made(self) -> GroupView:
        made: GroupView = self.__dict__["_make"]()
        return made

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns."""
        return self._made.columns

    @property
    def heads(self) -> tuple[HeadView, ...]:
        """Their headings."""
        return self._made.heads

    @property
    def rows(self) -> tuple[RowView, ...]:
        """Its rows."""
        return self._made.rows

    @property
    def families(self) -> FamilyTable | None:
        """Its families."""
        return self._made.families

    @property
    def resolutions(self) -> Any:
        """The smallest differences that are told apart."""
        return self._made.resolutions
