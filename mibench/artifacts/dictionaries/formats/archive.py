"""Read an untrusted ``.npz``: member names, sizes and types are checked before anything is allocated."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from mibench.artifacts.dictionaries.checks import MAX_BYTES, refuse
from mibench.artifacts.dictionaries.formats.tensors import Numbers
from mibench.core.errors import ArtifactError
from mibench.core.files import MIB

MAX_MEMBERS = 16
_MAX_GROWTH = 8
_SMALL = 64 * MIB
_DO = "Save it again with numpy.savez: plain floating-point arrays."
_SUFFIX = ".npy"


def read_archive(path: Path) -> dict[str, Numbers]:
    """Read the arrays of a ``.npz`` as float32.

    Raises:
        ArtifactError: It is damaged, too large, or holds anything but floating-point arrays.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(entries, size)
            return {entry.filename.removesuffix(_SUFFIX): _member(archive, entry) for entry in entries}
    except (ArtifactError, MemoryError, OSError):
        raise
    except Exception as error:
        # Damaged headers of arrays and zips end in errors of many kinds, those of the tokeniser among them.
        raise refuse(f"{path.name} is not a whole .npz file: {error!s:.200}", _DO) from error


def member_names(path: Path) -> set[str]:
    """Names of the arrays of a ``.npz``; none where it is no such file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {entry.filename.removesuffix(_SUFFIX) for entry in archive.infolist()[: MAX_MEMBERS + 1]}
    except (zipfile.BadZipFile, ValueError, RuntimeError, EOFError, NotImplementedError, OSError):
        return set()


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    names = [entry.filename for entry in entries]
    if len(names) > MAX_MEMBERS or len(set(names)) != len(names):
        raise refuse(f"It has {len(names)} parts, or one twice.", _DO)
    for entry in entries:
        if not entry.filename.endswith(_SUFFIX) or not entry.filename.removesuffix(_SUFFIX).isidentifier():
            raise refuse(f"It has a part named '{entry.filename:.40}'.", _DO)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise refuse(f"'{entry.filename}' is compressed in an unusual way.", _DO)
    declared = sum(entry.file_size for entry in entries)
    # Weights hardly compress.
    if declared > min(MAX_BYTES, max(_SMALL, _MAX_GROWTH * size)):
        raise refuse(f"It declares {declared} bytes in a file of {size}.", _DO)


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Numbers:
    with archive.open(entry) as stream:
        shape, dtype = _header(stream, entry.filename)
        # What is left is the numbers; the size has been compared with the file's.
        count = int(np.prod(shape, dtype=object))
        left = entry.file_size - stream.tell()
        if dtype.kind != "f" or dtype.itemsize > 8 or count * dtype.itemsize != left:
            why = f"'{entry.filename}' is {dtype!s:.40} {list(shape)[:4]} in {left} bytes."
            raise refuse(why, "Save it as float32.")
    with archive.open(entry) as stream:
        values = np.lib.format.read_array(stream, allow_pickle=False)
    # Too large for float32 becomes infinite there, which is refused with other infinities.
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32).reshape(shape)


def _header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
    else:
        raise refuse(f"'{name}' is of an unknown version of numpy's format.", _DO)
    if len(shape) > 2 or not all(type(one) is int and 0 <= one < 2**48 for one in shape):
        raise refuse(f"'{name}' has the shape {list(shape)[:4]}.", "Give vectors and matrices.")
    return shape, dtype
