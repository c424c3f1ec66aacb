"""Counts what lies below a folder that somebody else writes, and follows nothing out of it."""

from __future__ import annotations

import os
from pathlib import Path

_MOST_ENTRIES = 100_000
_DEEPEST = 64
_BLOCK = 512


class TooMuchError(Exception):
    """There is more, deeper or better hidden than can be counted."""


def bytes_below(folder: Path) -> int:
    """Return the bytes below ``folder``; a file with holes counts with its full size, a symlink with its own.

    Args:
        folder: Existing folder.

    Raises:
        TooMuchError: There are more than 100000 entries, 64 levels, or a folder that cannot be read.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return _Count().below(handle, 0)
    finally:
        os.close(handle)


class _Count:
    def __init__(self) -> None:
        self.entries = 0

    def below(self, handle: int, depth: int) -> int:
        total = 0
        with os.scandir(handle) as entries:
            for entry in entries:
                self.entries += 1
                if self.entries > _MOST_ENTRIES or depth > _DEEPEST:
                    raise TooMuchError
                total += self._one(entry, handle, depth)
        return total

    def _one(self, entry: os.DirEntry[str], handle: int, depth: int) -> int:
        try:
            found = entry.stat(follow_symlinks=False)
            size = max(found.st_size, found.st_blocks * _BLOCK)
            if not entry.is_dir(follow_symlinks=False):
                return size
            # Whatever was put in its place since: no symlink is followed.
            inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
        except PermissionError as error:
            raise TooMuchError from error
        except OSError:
            return 0
        try:
            return size + self.below(inner, depth + 1)
        finally:
            os.close(inner)
