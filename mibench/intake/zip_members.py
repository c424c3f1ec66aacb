"""The members of a zip file, listed without reading any of them; everything that only tricks use is refused."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import DataError
from mibench.intake.rules import Rules

CHUNK = 2**16
_END = 22
_END_MAGIC = b"PK\x05\x06"
_LOCATOR = 20
_LOCATOR_MAGIC = b"PK\x06\x07"
_LONGEST_ENTRY = 512
"""Bytes of the directory that a member may take: a name of 200, and some for times and rights."""
_DO = "Make it with mibench submit pack."


@dataclass(frozen=True)
class Member:
    """A member of an archive.

    Attributes:
        path: As the archive has it.
        size: Bytes, unpacked, as the archive says.
        packed: Bytes in the archive.
        mode: Type and rights, as of ``os.stat``.
        chunks: Reads it, piece by piece.
        problem: Why it cannot be read; empty: nothing is known.
    """

    path: str
    size: int
    packed: int
    mode: int
    chunks: Callable[[], Iterator[bytes]]
    problem: str = ""


@contextmanager
def zip_members(path: Path, rules: Rules) -> Iterator[list[Member]]:
    """Open a zip file and list its members.

    Raises:
        DataError: It has too many members, or anything before, between or after them.
        zipfile.BadZipFile: It is damaged.
    """
    _check_end(path, rules)
    with zipfile.ZipFile(path) as archive:
        yield [_member(archive, one) for one in archive.infolist()]


def _check_end(path: Path, rules: Rules) -> None:
    """Check the last bytes, which say how many members there are, before they are listed.

    Without a comment and without zip64 there is one way to read them.
    """
    size = path.stat().st_size
    if size > 2 * rules.total_bytes:
        raise _refused(f"It has {size} bytes; the limit is {2 * rules.total_bytes}.")
    with path.open("rb") as stream:
        if stream.read(4) not in (b"PK\x03\x04", _END_MAGIC):
            raise _refused("It does not begin as a zip file does.")
        stream.seek(max(size - _END - _LOCATOR, 0))
        tail = stream.read()
    end = tail[-_END:]
    if len(end) < _END or not end.startswith(_END_MAGIC) or end[20:22] != b"\0\0":
        raise _refused("It does not end as a zip file does: it is cut short, or has a comment or something behind it.")
    count, length, offset = (int.from_bytes(end[a:b], "little") for a, b in ((10, 12), (12, 16), (16, 20)))
    if tail.startswith(_LOCATOR_MAGIC):
        raise _refused("It is of the kind for more than 65535 members or 4 GB (zip64).")
    if count > 2 * rules.files or length > 2 * rules.files * _LONGEST_ENTRY:
        raise _refused(f"It has {count} members in a list of {length} bytes; the limit is {2 * rules.files} members.")
    if offset + length + _END != size:
        raise _refused("Its list of members is not where its end says: something is before or behind it.")


def _refused(why: str) -> DataError:
    return DataError("The archive cannot be read.", why=why, do=_DO)


def _member(archive: zipfile.ZipFile, one: zipfile.ZipInfo) -> Member:
    return Member(
        path=one.orig_filename,
        size=one.file_size,
        packed=one.compress_size,
        mode=_mode(one),
        chunks=lambda: _chunks(archive, one),
        problem=_problem(one),
    )


def _chunks(archive: zipfile.ZipFile, one: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(one) as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _mode(one: zipfile.ZipInfo) -> int:
    """Type and rights; archives of other systems have none, and of those a name that ends in / is a folder."""
    mode = one.external_attr >> 16
    if stat.S_IFMT(mode):
        return mode
    kind = stat.S_IFDIR if one.orig_filename.endswith("/") else stat.S_IFREG
    return kind | stat.S_IMODE(mode)


def _problem(one: zipfile.ZipInfo) -> str:
    if one.flag_bits & 0x1:
        return "It is encrypted."
    if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"It is packed by the method {one.compress_type}; stored and deflated members are read."
    is_folder = stat.S_ISDIR(_mode(one))
    if is_folder != one.orig_filename.endswith("/") or (is_folder and one.file_size):
        return "It is a folder by its name or by its type, but not by both, or has bytes of its own."
    return ""
