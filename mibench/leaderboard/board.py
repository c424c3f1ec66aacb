"""The tables of folders of records; what earlier builds made of unchanged records is not made again."""

from __future__ import annotations

import gc
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from importlib.metadata import entry_points, version
from pathlib import Path

from mibench.core.errors import UsageError
from mibench.core.hashing import digest
from mibench.core.version import code_digest
from mibench.leaderboard.finding import Found, Place, by_group, find
from mibench.leaderboard.kept_view import is_remembered, remembered
from mibench.leaderboard.memory import KeptMemory
from mibench.leaderboard.rows import collect, group_of, make_groups
from mibench.leaderboard.shelf import prune
from mibench.leaderboard.site.environment import site_version
from mibench.leaderboard.sparsity import with_l0
from mibench.leaderboard.view import GroupView, view
from mibench.models.known import known_models
from mibench.records.store import Store

_LIBRARIES = ("jinja2", "markupsafe", "numpy", "pandas", "pyarrow", "pydantic", "scipy", "tabulate")


@dataclass(frozen=True)
class Board:
    """The tables of a build.

    Attributes:
        views: The tables.
        save: Keeps for the next build what this one made.
    """

    views: list[GroupView]
    save: Callable[[], None] = field(default=lambda: None)


@contextmanager
def opened(
    records: Path | Sequence[Path], kept: Path | None = None, *, ranks: Path | None = None, only: str | None = None
) -> Iterator[Board]:
    """Give the tables of all records, millions of small objects that the garbage collector need not look through.

    Args:
        records: Folder of records, or several.
        kept: Where earlier builds kept what they made; None: all is made anew.
        ranks: Where ranks alone are kept.
        only: The one table that is asked for, as `cold_tables` names it, where ``kept`` is given; None: all.

    Raises:
        UsageError: There is no such folder of records.
        StoreError: A record is broken.
    """
    folders = _folders(records)
    enabled = gc.isenabled()
    gc.disable()
    try:
        board = Board(_fresh(folders, ranks)) if kept is None else _kept(folders, kept, only)
        gc.freeze()
        if enabled:
            gc.enable()
        yield board
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def _folders(records: Path | Sequence[Path]) -> list[Path]:
    folders = [records] if isinstance(records, Path) else list(records)
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(
                f"There is no folder of records at {folder}.",
                why="The leaderboard is made from records.",
                do="Give the folder that `mibench run --out` wrote.",
            )
    return folders


def _fresh(folders: Sequence[Path], ranks: Path | None) -> list[GroupView]:
    return [view(group, ranks) for group in make_groups(with_l0(collect(map(Store, folders))))]


def cold_tables(records: Path | Sequence[Path], kept: Path) -> dict[str, int]:
    """Return the tables that nothing is kept of, by name, with the numbers of their records.

    Raises:
        UsageError: There is no such folder of records.
        StoreError: A record is broken.
    """
    made_by = _made_by()
    places = [Place(folder, kept, made_by) for folder in _folders(records)]
    tables = [_Table(members, donors, kept) for members, donors in by_group(find(places))]
    found = {table.name: len(table.members) for table in tables if not is_remembered(table.memory)}
    for place in places:
        place.save()
    return found


@dataclass(frozen=True)
class _Table:
    """Records of a table, those that may know the L0 of its dictionaries, and where what it gives is kept."""

    members: Sequence[Found]
    donors: Sequence[Found]
    kept: Path

    @property
    def name(self) -> str:
        """What tells it from others."""
        return self.members[0].facts.group

    @cached_property
    def records(self) -> KeptMemory:
        """What its records gave by themselves."""
        path = self.kept / f"records-{digest([_made_by(), self.name])}.kept"
        return KeptMemory(path, only={one.facts.cell for one in self.members})

    @cached_property
    def memory(self) -> KeptMemory:
        """What it gave."""
        states = [[one.state for one in found] for found in (self.members, self.donors)]
        return KeptMemory(self.kept / f"tables-{digest([_made_by(), *states])}.kept", self.records)

    def view(self) -> GroupView:
        """The table, made as far as it is not remembered."""
        return remembered(self.memory, partial(_view, self.members, self.donors, self.kept))


def _kept(folders: Sequence[Path], kept: Path, only: str | None) -> Board:
    places = [Place(folder, kept, _made_by()) for folder in folders]
    tables = [_Table(members, donors, kept) for members, donors in by_group(find(places))]
    asked = [table for table in tables if only in {None, table.name}]
    views = [table.view() for table in asked]

    def save() -> None:
        for place in places:
            place.save()
        for table in asked:
            table.memory.save()
            table.records.save()
        prune(kept)

    return Board(sorted(views, key=lambda made: [str(value) for value in made.group.key.values()]), save)


def _view(members: Sequence[Found], donors: Sequence[Found], kept: Path) -> GroupView:
    entries = with_l0(one.entry() for one in (*members, *donors))
    return view(group_of(entries[: len(members)]), kept)


@cache
def _made_by() -> str:
    """Return the digest of all that tables depend on besides records."""
    groups = (entry_points(group=name) for name in sorted(entry_points().groups) if name.startswith("mibench"))
    points = [[one.group, one.name, one.value] for group in groups for one in group]
    libraries = {name: version(name) for name in _LIBRARIES}
    models = sorted(known_models())
    return digest([code_digest(""), site_version(), points, libraries, models, platform.python_version()])
