"""Commands that pages tell their readers to run, with the folder of records that a row is from."""

from __future__ import annotations

import shlex
from pathlib import Path

from mibench.leaderboard.rows import Entry
from mibench.leaderboard.text import plain

ELSEWHERE = "DIR"
"""Stands in commands for a folder that the site does not name."""


def folder_shown(folder: Path | str) -> str:
    """Return a folder of records as commands name it: as it was given, or from where one is.

    Where a folder lies on the machine of whoever made the site is nobody's business, so any other is ``DIR``.
    """
    path = Path(folder)
    if path.is_absolute():
        here = Path.cwd()
        path = path.relative_to(here) if path.is_relative_to(here) else Path(ELSEWHERE)
    return shlex.quote(plain(path.as_posix(), 400))


def file_shown(entry: Entry) -> str:
    """Return the path of a record likewise."""
    store = entry.store
    beside = store.path(entry.record.cell).relative_to(store.folder)
    return f"{folder_shown(store.folder)}/{beside.as_posix()}"
