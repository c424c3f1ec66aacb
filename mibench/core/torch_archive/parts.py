"""The parts of a torch file: a zip of stored members side by side, each checked before any of it is read."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mibench.core.torch_archive.limits import Limits, refuse

_MAGIC = b"PK\x03\x04"
_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_LOCATOR = struct.Struct("<4sLQL")
_LOCATOR_MAGIC = b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_MAGIC = b"PK\x06\x06"
_LOCAL = struct.Struct("<4s5H3L2H")
_LONGEST_ENTRY = 512
"""Bytes of the list that a part may take: a short name, sizes, and what says how it is aligned."""
_CHUNK = 2**22
_OF_PROGRAMS = "/constants.pkl"

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """A part of the file.

    Attributes:
        start: Where its bytes begin.
        size: Their number.
        checksum: Their CRC-32.
    """

    start: int
    size: int
    checksum: int


@dataclass(frozen=True)
class Parts:
    """The parts of a torch file by their names, without the folder that all are in.

    Attributes:
        path: The file.
        by_name: The parts.
    """

    path: Path
    by_name: Mapping[str, Part]

    def read(self, name: str) -> Bytes:
        """Read a part.

        Raises:
            ArtifactError: The file has become shorter, or the bytes are not those that were written.
        """
        part = self.by_name[name]
        found = np.empty(part.size, dtype=np.uint8)
        view, done, checksum = found.data, 0, 0
        with self.path.open("rb") as stream:
            stream.seek(part.start)
            while done < part.size:
                count = stream.readinto(view[done : done + _CHUNK])
                if not count:
                    raise refuse(f"It ends inside '{name:.40}'.", "Copy it again.")
                checksum = zlib.crc32(view[done : done + count], checksum)
                done += count
        if checksum != part.checksum:
            raise refuse(f"The checksum of '{name:.40}' does not fit: it is damaged.", "Copy or save it again.")
        return found


def open_parts(path: Path, limits: Limits) -> Parts:
    """List the parts of a file.

    Raises:
        ArtifactError: It is no torch file, of the format before torch 1.6, too large, compressed or damaged.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    if size > limits.file_bytes:
        raise refuse(f"It has {size} bytes; the limit is {limits.file_bytes}.", "Give a smaller one.")
    _check_end(path, size, limits)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
        raise refuse(f"It is not a whole torch file: {error!s:.200}") from error
    _check_entries(entries, size)
    return _together(path, entries, size)


def _check_end(path: Path, size: int, limits: Limits) -> None:
    """Check how long the list of parts is before it is read; without a comment there is one way to find it."""
    with path.open("rb") as stream:
        if stream.read(4) != _MAGIC:
            why = "It is no zip file: torch before 1.6 wrote another format, a bare pickle, which is not read."
            raise refuse(why)
        stream.seek(max(size - _END.size - _LOCATOR.size - _END64.size, 0))
        tail = stream.read()
    if len(tail) < _END.size:
        raise refuse("It is not a whole torch file: it is cut short.")
    magic, *_, count, length, offset, comment = _END.unpack(tail[-_END.size :])
    if magic != _END_MAGIC or comment:
        raise refuse("It is not a whole torch file: it is cut short, or something is behind its end.")
    end = size - _END.size
    locator = tail[-_END.size - _LOCATOR.size : -_END.size]
    if locator.startswith(_LOCATOR_MAGIC):
        end -= _LOCATOR.size + _END64.size
        whole = tail[: _END64.size]
        if len(tail) < _END.size + _LOCATOR.size + _END64.size or not whole.startswith(_END64_MAGIC):
            raise refuse("It is not a whole torch file: its end does not fit together.")
        if _LOCATOR.unpack(locator)[2] != end:
            raise refuse("It is not a whole torch file: its end is not where it says.")
        *_, count, length, offset = _END64.unpack(whole)
    if count > limits.parts or length > limits.parts * _LONGEST_ENTRY:
        raise refuse(f"It has {count} parts in a list of {length} bytes; the limit is {limits.parts} parts.")
    if offset + length != end:
        raise refuse("It is not a whole torch file: its list of parts is not where its end says.")


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise refuse("It has a part twice.")
    if any(name.endswith(_OF_PROGRAMS) for name in names):
        raise refuse("It is a TorchScript program, which is code.", "Save its state_dict() with torch.save.")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise refuse(f"'{entry.filename:.80}' is compressed, which torch.save never does.")
        if entry.flag_bits & 0x1:
            raise refuse(f"'{entry.filename:.80}' is encrypted.")
    declared = sum(entry.file_size for entry in entries)
    if declared > size:
        raise refuse(f"Its parts overlap: they declare {declared} bytes in a file of {size}.")


def _together(path: Path, entries: list[zipfile.ZipInfo], size: int) -> Parts:
    parts: dict[str, Part] = {}
    tops = {entry.filename.partition("/")[0] for entry in entries}
    if len(tops) != 1:
        raise refuse(f"It is no torch file: its parts are in {len(tops)} folders, not in one.")
    end = 0
    with path.open("rb") as stream:
        for entry in sorted(entries, key=lambda one: one.header_offset):
            if not end <= entry.header_offset <= size:
                raise refuse("Its parts overlap.")
            stream.seek(entry.header_offset)
            header = stream.read(_LOCAL.size)
            if len(header) < _LOCAL.size or not header.startswith(_MAGIC):
                raise refuse(f"It is not a whole torch file: '{entry.filename:.80}' is not where it should be.")
            *_, name_length, extra_length = _LOCAL.unpack(header)
            name = stream.read(name_length)
            start = entry.header_offset + _LOCAL.size + name_length + extra_length
            end = start + entry.file_size
            if name != entry.orig_filename.encode("utf-8", "replace") or end > size:
                raise refuse(f"It is not a whole torch file: '{entry.filename:.80}' does not fit its header.")
            parts[entry.filename.partition("/")[2]] = Part(start, entry.file_size, entry.CRC)
    return Parts(path, parts)
