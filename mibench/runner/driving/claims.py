"""Who runs a cell: one lock a cell in the folder of records, which ends with the process that holds it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mibench.core.errors import StoreError

CLAIMS = ".claims"
"""Folder of the locks, in that of the records."""
_POLL_SECONDS = 0.05


@contextmanager
def claim(folder: Path, cell_id: str) -> Iterator[bool]:
    """Hold a cell of a folder of records until the block ends; False: somebody else has it. Never waits.

    Raises:
        StoreError: The lock cannot be made.
    """
    place = folder / CLAIMS / f"{cell_id}.lock"
    lock = FileLock(place)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    except OSError as error:
        why, do = f"{error.strerror or error}.", "Free space, check the rights of the folder, or choose another."
        raise StoreError(f"{place} cannot be locked.", why=why, do=do) from error
    try:
        yield True
    finally:
        # While it is held: who opened the file before finds that it is gone, and opens it anew.
        with suppress(OSError):
            place.unlink()
        lock.release()


@contextmanager
def held(folder: Path, cell_id: str) -> Iterator[None]:
    """Hold a cell of a folder of records until the block ends, after waiting for whoever has it.

    Raises:
        StoreError: The lock cannot be made.
    """
    while True:
        with claim(folder, cell_id) as is_held:
            if is_held:
                yield
                return
        time.sleep(_POLL_SECONDS)
