"""The tables of folders of records; what earlier builds made of unchanged records is not made again."""

from __future__ import annotations

import gc
import platform
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import entry_points, version
from pathlib import Path

from mibench.core.errors import UsageError
from mibench.core.hashing import digest
from mibench.core.version import code_digest
from mibench.leaderboard.finding import Found, Place, by_group, find
from mibench.leaderboard.kept_view import remembered
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
def opened(records: Path | Sequence[Path], kept: Path | None = None, *, ranks: Path | None = None) -> Iterator[Board]:
    """Give the tables of all records, millions of small objects that the garbage collector need not look through.

    Args:
        records: Folder of records, or several.
        kept: Where earlier builds kept what they made; None: all is made anew.
        ranks: Where ranks alone are kept.

    Raises:
        UsageError: There is no such folder of records.
        StoreError: A record is broken.
    """
    folders = _folders(records)
    enabled = gc.isenabled()
    gc.disable()
    try:
        board = Board(_fresh(folders, ranks)) if kept is None else _kept(folders, kept)
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


def _kept(folders: Sequence[Path], kept: Path) -> Board:
    made_by = _made_by()
    places = [Place(folder, kept, made_by) for folder in folders]
    memories, views = [], []
    for members, donors in by_group(find(places)):
        states = [[one.state for one in found] for found in (members, donors)]
        of_records = kept / f"records-{digest([made_by, members[0].facts.group])}.kept"
        records = KeptMemory(of_records, only={one.facts.cell for one in members})
        memory = KeptMemory(kept / f"tables-{digest([made_by, *states])}.kept", records)
        memories += [memory, records]
        views.append(remembered(memory, partial(_view, members, donors, kept)))

    def save() -> None:
        for place in places:
            place.save()
        for memory in memories:
            memory.save()
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
