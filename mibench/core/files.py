"""Reading with a size limit, writing so that a file is whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from mibench.core.errors import DataError, StoreError, UsageError

MIB = 1024 * 1024


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when the block ends well.

    The bytes are flushed to disk before the rename, and the rename after it, so a kill or a power cut leaves
    the old file or the new one, and files appear in the order in which they were written. A killed writer
    leaves its temporary file behind: ``.{name}.{random}.tmp``.

    Raises:
        StoreError: The file cannot be written (permissions, full disk).
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        candidate = target.parent / f".{target.name}.{secrets.token_hex(6)}.tmp"
        # Mode 0o666 lets the kernel apply the umask; reading the umask would change it for other threads.
        os.close(os.open(candidate, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        temporary = candidate
        yield temporary
        _finish(temporary, target)
    except OSError as error:
        raise StoreError(
            f"{target} could not be written.",
            why=f"{error.strerror or error}",
            do="Free space or choose another folder; what was there before is unchanged.",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _finish(temporary: Path, target: Path) -> None:
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
    temporary.replace(target)
    # The file is in place by now; some network file systems cannot flush a folder.
    with contextlib.suppress(OSError):
        _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def atomic_write(path: Path | str, content: bytes | str) -> None:
    """Write ``content`` to ``path`` whole or not at all.

    Raises:
        StoreError: The file cannot be written.
    """
    data = content.encode() if isinstance(content, str) else content
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def existing_file(path: Path | str) -> Path:
    """Return ``path`` if it is a regular file.

    Raises:
        UsageError: There is no such file.
    """
    found = Path(path)
    if not found.is_file():
        why = "It is a folder." if found.is_dir() else "There is no such file."
        raise UsageError(f"{found} cannot be read.", why=why, do="Check the path.")
    return found


def read_text(path: Path | str, *, max_bytes: int = 512 * MIB) -> str:
    """Read a UTF-8 file of at most ``max_bytes``.

    Raises:
        UsageError: There is no such file.
        DataError: The file is too large, is not UTF-8, or cannot be read.
    """
    found = existing_file(path)
    size = found.stat().st_size
    if size > max_bytes:
        raise DataError(f"{found} is too large.", why=f"{size} bytes; the limit is {max_bytes}.", do="Split it.")
    try:
        return found.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{found} cannot be read as text.", why=str(error), do="Save it as UTF-8.") from error
