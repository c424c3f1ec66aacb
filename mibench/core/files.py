"""Reading with a size limit, writing so that a file is whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mibench.core.errors import DataError, StoreError, UsageError

MIB = 1024 * 1024
_SHOWN = 200


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
        mode = candidate.stat().st_mode
        yield temporary
        # Whoever wrote it may have put a file of its own there.
        temporary.chmod(stat.S_IMODE(mode))
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
    flush_folder(target.parent)


def flush_folder(folder: Path) -> None:
    """Have the names in a folder on disk, where the file system can; some of a network cannot."""
    with contextlib.suppress(OSError):
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


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder of the same name that takes the place of ``folder`` when the block ends well.

    All in it is flushed to disk before the rename, so a power cut leaves no folder or the whole one.

    Raises:
        StoreError: It cannot be written, or something is there.
    """
    temporary = folder.parent / f".{folder.name}.{secrets.token_hex(6)}.tmp"
    inside = temporary / folder.name
    try:
        inside.mkdir(parents=True)
        yield inside
        _flush_all(inside)
        # Unlike replace, this fails where a folder with something in it is.
        os.rename(inside, folder)  # noqa: PTH104
        flush_folder(folder.parent)
    except OSError as error:
        do = "Free space or choose another folder."
        raise StoreError(f"{folder} could not be written.", why=f"{error.strerror or error}", do=do) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _flush_all(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            with Path(place, name).open("rb") as stream:
                os.fsync(stream.fileno())
        flush_folder(Path(place))


def is_file(path: Path | str) -> bool:
    """Whether ``path`` is a regular file; a name that no file can have (too long, with a null) is none."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path | str) -> bool:
    """Whether ``path`` is a folder; a name that no folder can have is none."""
    return stat.S_ISDIR(_mode(path))


def exists(path: Path | str) -> bool:
    """Whether something is at ``path``; nothing is at a name that no file can have."""
    return _mode(path) != 0


def check_name(path: Path | str) -> None:
    """Check that a file of this name could be made, as far as its name goes.

    Raises:
        UsageError: It is too long, or holds a null character.
    """
    try:
        Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"{_short(path)} cannot be the name of a file.", why=f"{why}.", do="Choose another."
        ) from error


def check_folder(path: Path | str) -> None:
    """Check that a folder can be made and written to, before anything is computed that is to go there.

    Raises:
        UsageError: A file is in its place, or nothing can be written there.
    """
    folder = Path(path)
    nearest = next(place for place in (folder, *folder.absolute().parents) if exists(place))
    if not is_folder(nearest):
        raise UsageError(f"{_short(folder)} cannot be a folder.", why=f"{nearest} is a file.", do="Choose a folder.")
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        why = f"{nearest}: {error.strerror or error}."
        raise UsageError(f"{_short(folder)} cannot be written to.", why=why, do="Choose another folder.") from error


def _mode(path: Path | str) -> int:
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0


def _short(path: Path | str) -> str:
    text = str(path)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]} … {text[-_SHOWN // 2 :]}"


def existing_file(path: Path | str) -> Path:
    """Return ``path`` if it is a regular file.

    Raises:
        UsageError: There is no such file.
    """
    found = Path(path)
    if not is_file(found):
        why = "It is a folder." if is_folder(found) else "There is no such file."
        raise UsageError(f"{_short(found)} cannot be read.", why=why, do="Check the path.")
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
