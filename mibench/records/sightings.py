"""Digests of a folder's files, read again only where the file system says that a file may have changed.

A file is taken for what it was if its size, inode, and times of modification and of change are those of the last look.
The time of change is set by the system alone, so that a file of the same size with its modification time set back is
noticed. A file that changed within two seconds of the look may change again within one tick of the clock: it is read
again the next time, and so is every file where the system keeps no time of change.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Stamp = tuple[int, int, int, int, int]
"""Size, time of modification, time of change, inode, device."""

_RACY_NS = 2_000_000_000
_TELLS_CHANGES = os.name == "posix"


class Sightings:
    """The files of a folder as they are now.

    Args:
        folder: The folder.
        known: What `told` gave at an earlier look; what is not of its form is ignored.
    """

    def __init__(self, folder: Path, known: Any = None) -> None:
        self.folder = folder
        self.stamps: Mapping[str, Stamp] = dict(_scan(os.fspath(folder), ""))
        self._known = _trusted(known, self.stamps) if _TELLS_CHANGES else {}
        self._lasting = dict(self._known)

    def sha256(self, name: str) -> str | None:
        """Return the digest of a file, given by its path in the folder; None where there is none to read."""
        if name not in self.stamps:
            return None
        if name not in self._known:
            looked = time.time_ns()
            try:
                self._known[name] = hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
            except OSError:
                return None
            self._remember(name, looked)
        return self._known[name]

    def note(self, name: str, content: bytes, looked: int) -> str:
        """Return the digest of a file that was read after ``looked``, in nanoseconds, and note it."""
        self._known[name] = hashlib.sha256(content).hexdigest()
        self._remember(name, looked)
        return self._known[name]

    def told(self) -> dict[str, list[Any]]:
        """Return what the next look can trust, for JSON."""
        return {name: [*self.stamps[name], sha256] for name, sha256 in self._lasting.items()}

    def _remember(self, name: str, looked: int) -> None:
        _, modified, changed, *_ = self.stamps[name]
        if max(modified, changed) < looked - _RACY_NS:
            self._lasting[name] = self._known[name]


def _scan(folder: str, above: str) -> Iterator[tuple[str, Stamp]]:
    """Yield the files below a folder; links to folders are not followed, and what cannot be read is passed over."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _scan(entry.path, f"{above}{entry.name}/")
            elif entry.is_file():
                seen = entry.stat()
                times = seen.st_mtime_ns, seen.st_ctime_ns
                yield above + entry.name, (seen.st_size, *times, seen.st_ino, seen.st_dev)
        except OSError:
            continue


def _trusted(known: Any, stamps: Mapping[str, Stamp]) -> dict[str, str]:
    """Return the digests of files that are what they were."""
    if not isinstance(known, dict):
        return {}
    same = (
        (name, told[-1])
        for name, told in known.items()
        if name in stamps and isinstance(told, list) and tuple(told[:-1]) == stamps[name]
    )
    return {name: sha256 for name, sha256 in same if isinstance(sha256, str)}
