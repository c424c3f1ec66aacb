"""The members of a tar file, plain or by gzip, listed header by header; nothing in it decides how much is read."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mibench.core.errors import DataError
from mibench.intake.rules import Rules
from mibench.intake.zip_members import CHUNK, Member

_HEADERS = 4096
"""Bytes of headers and padding that a member may take."""
_MAX_READ = 2**20
"""Longest piece that is read at once: headers that claim to be longer are refused."""
_DO = "Make it with mibench submit pack."
_KINDS = {
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.LNKTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}


@contextmanager
def tar_members(path: Path, rules: Rules) -> Iterator[list[Member]]:
    """Open a tar file and list its members.

    Raises:
        DataError: It is too large, has too many members, or a header that claims too much.
        tarfile.TarError: It is damaged.
    """
    limit = rules.total_bytes + 2 * rules.files * _HEADERS
    with _plain(path, limit) as stream:
        bounded = _Bounded(stream, reads=4 * rules.files + 100)
        try:
            with tarfile.open(fileobj=bounded, mode="r:", encoding="utf-8", errors="replace") as archive:
                found = _listed(archive, rules)
        except (RecursionError, OverflowError, MemoryError) as error:
            raise _refused(f"Its headers cannot be followed ({type(error).__name__}).") from error
        yield [_member(one, stream) for one in found]


@contextmanager
def _plain(path: Path, limit: int) -> Iterator[IO[bytes]]:
    """The bytes of the tar file itself, in a file without a name where it is packed."""
    with path.open("rb") as raw:
        magic = raw.read(2)
        raw.seek(0)
        if magic != b"\x1f\x8b":
            size = path.stat().st_size
            if size > limit:
                raise _refused(f"It has {size} bytes; the limit is {limit}.")
            yield raw
            return
        with tempfile.TemporaryFile() as plain, gzip.GzipFile(fileobj=raw) as source:
            written = 0
            while chunk := source.read(CHUNK):
                written += len(chunk)
                if written > limit:
                    raise _refused(f"It grows from {path.stat().st_size} to more than {limit} bytes.")
                plain.write(chunk)
            plain.seek(0)
            yield plain


class _Bounded(io.RawIOBase):
    """A stream for ``tarfile`` with a limit on each read and on their number."""

    def __init__(self, stream: IO[bytes], reads: int) -> None:
        super().__init__()
        self._stream = stream
        self._left = reads

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes."""
        self._left -= 1
        if not 0 <= size <= _MAX_READ:
            raise _refused(f"A header claims to take {size} bytes.")
        if self._left < 0:
            raise _refused("It has more headers than its members need.")
        return self._stream.read(size)

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place."""
        if whence or not 0 <= place <= 2**53:
            raise _refused("A header names a place outside the file.")
        return self._stream.seek(place)

    def tell(self) -> int:
        """Where it is."""
        return self._stream.tell()


def _listed(archive: tarfile.TarFile, rules: Rules) -> list[tarfile.TarInfo]:
    found: list[tarfile.TarInfo] = []
    while (one := archive.next()) is not None:
        found.append(one)
        if len(found) > 2 * rules.files:
            raise _refused(f"It has more than {2 * rules.files} members.")
    return found


def _refused(why: str) -> DataError:
    return DataError("The archive cannot be read.", why=why, do=_DO)


def _member(one: tarfile.TarInfo, stream: IO[bytes]) -> Member:
    plain = one.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not one.issparse()
    kind = stat.S_IFREG if plain else _KINDS.get(one.type, stat.S_IFREG)
    size = one.size if plain else 0
    return Member(
        path=one.name,
        size=size,
        packed=size,
        mode=kind | stat.S_IMODE(one.mode),
        chunks=lambda: _chunks(one, stream),
        problem=_problem(one, plain=plain),
    )


def _problem(one: tarfile.TarInfo, *, plain: bool) -> str:
    if one.size < 0:
        return f"It claims to have {one.size} bytes."
    return "" if plain or one.type in _KINDS else f"It is of the type {one.type!r}, which is no plain file."


def _chunks(one: tarfile.TarInfo, stream: IO[bytes]) -> Iterator[bytes]:
    stream.seek(one.offset_data)
    left = one.size
    while left > 0 and (chunk := stream.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk
