"""Take a file out of a folder that a stranger could write: a plain file of at most so many bytes, or nothing."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import ExitStack
from pathlib import Path

from mibench.core.errors import ArtifactError, StoreError

_CHUNK = 2**20


def take_file(folder: Path, name: str, target: Path, limit: int) -> tuple[str, int]:
    """Copy a file; no link is followed, and nothing that could wait is opened.

    Args:
        folder: Where it is; nobody writes there any more.
        name: Its name, without folders.
        target: Where it goes; nothing is there.
        limit: Bytes, at most.

    Returns:
        Its sha256, and how many bytes it has.

    Raises:
        ArtifactError: It is not there, no plain file, or too large.
        StoreError: The copy cannot be written.
    """
    with ExitStack() as stack:
        try:
            place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            stack.callback(os.close, place)
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
            stack.callback(os.close, handle)
            about = os.fstat(handle)
        except OSError as error:
            raise _refused(name, "It is not there, or is a link.") from error
        if not stat.S_ISREG(about.st_mode):
            raise _refused(name, "It is no plain file.")
        if about.st_size > limit:
            raise _refused(name, f"It has {about.st_size} bytes; the limit is {limit}.")
        try:
            return _copied(handle, target, about.st_size)
        except OSError as error:
            why = f"{error.strerror or error}."
            raise StoreError(f"{target} could not be written.", why=why, do="Free space, and try again.") from error


def _copied(handle: int, target: Path, size: int) -> tuple[str, int]:
    sha, left = hashlib.sha256(), size
    with target.open("xb") as stream:
        while left and (chunk := os.read(handle, min(left, _CHUNK))):
            stream.write(chunk)
            sha.update(chunk)
            left -= len(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return sha.hexdigest(), size - left


def _refused(name: str, why: str) -> ArtifactError:
    return ArtifactError(f"{name} cannot be taken.", why=why, do="Have the method return its artifact.")
