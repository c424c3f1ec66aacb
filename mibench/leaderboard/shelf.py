"""A folder of what earlier builds made: safe to delete, bounded, data only, and never believed where it is broken.

Each file is one line with its length and a checksum, then its content. A file that is not what was written is none.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from pathlib import Path

from mibench.core.errors import StoreError
from mibench.core.files import MIB, atomic_write

MOST_BYTES = 512 * MIB
"""What all files together may take; those that were not used for longest go first."""

_HEAD = b"mibench kept 1 "
_OURS = re.compile(r"((folders|records|replicates|tables)-)?[0-9a-f]{64}\.(kept|json)|\.[^/]+\.[0-9a-f]{12}\.tmp")


def read_kept(path: Path) -> bytes | None:
    """Return the content of a file that `write_kept` wrote; None where there is none, or another one."""
    try:
        head, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if head != _head(content):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return content


def write_kept(path: Path, content: bytes) -> None:
    """Write a file; one that cannot be written is only made again."""
    with contextlib.suppress(StoreError):
        atomic_write(path, b"%s\n%s" % (_head(content), content))


def prune(folder: Path, most: int = MOST_BYTES) -> None:
    """Remove the files that were not used for longest, as far as all together take more than ``most`` bytes."""
    found = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if _OURS.fullmatch(path.name):
                seen = path.stat()
                found.append((seen.st_mtime_ns, seen.st_size, path))
    room = most
    for _, size, path in sorted(found, reverse=True):
        room -= size
        if room < 0:
            with contextlib.suppress(OSError):
                path.unlink()


def _head(content: bytes) -> bytes:
    return b"%s%d %08x" % (_HEAD, len(content), zlib.crc32(content))
