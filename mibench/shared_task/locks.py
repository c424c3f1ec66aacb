"""Folders that are being filled: each is locked by its process, and the lock ends with the process."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mibench.core.errors import StoreError
from mibench.shared_task.folder import private_folder

INCOMING = ".incoming-"
"""How names of folders begin that are being filled."""


@contextmanager
def incoming(parent: Path) -> Iterator[Path]:
    """Give a new folder in ``parent``, locked until the block ends; removed then, where it was not renamed.

    Raises:
        StoreError: It cannot be made.
    """
    private_folder(parent)
    while True:
        place = private_folder(parent / f"{INCOMING}{secrets.token_hex(8)}")
        with held(place) as is_held:
            # Who clears up may have been faster.
            if not is_held or not place.exists():
                continue
            try:
                yield place
            finally:
                shutil.rmtree(place, ignore_errors=True)
            return


@contextmanager
def held(place: Path) -> Iterator[bool]:
    """Lock a folder until the block ends; False: another process has it, or it is gone."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield False
        return
    except OSError as error:
        why, do = f"{error.strerror or error}.", "Check the rights of the round's folder."
        raise StoreError(f"{place} cannot be locked.", why=why, do=do) from error
    try:
        yield _locked(handle)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
