"""The header of an untrusted safetensors file, read with limits and without touching a tensor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeGuard

from mibench.artifacts.circuit import brief
from mibench.artifacts.dictionaries.checks import refuse

MAX_HEADER = 2**20
_MAX_DIMENSIONS = 8
_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class TensorEntry:
    """What a header says of a tensor.

    Attributes:
        dtype: Such as ``F32``.
        shape: Its shape.
    """

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class SafetensorsHeader:
    """A checked header.

    Attributes:
        metadata: Text by name.
        tensors: Entries by name; their bytes are all in the file.
    """

    metadata: Mapping[str, str]
    tensors: Mapping[str, TensorEntry]


def read_header(path: Path) -> SafetensorsHeader:
    """Read the header of a safetensors file of unknown origin.

    Raises:
        ArtifactError: It is no safetensors file, is damaged, or its header is too long.
        OSError: It cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 10 or length > size - 8:
            raise _damaged(f"It has {size} bytes, too few for its header")
        if length > MAX_HEADER:
            raise refuse(f"Its header takes {length} bytes; the limit is {MAX_HEADER}.", "Keep less in meta.")
        text = stream.read(length)
    try:
        values = json.loads(text.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _damaged(f"Its header is no JSON: {error!s:.100}") from error
    if not isinstance(values, dict):
        raise _damaged("Its header is no object")
    metadata = values.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged("Its metadata are not text")
    return SafetensorsHeader(metadata, _entries(values, size - 8 - length))


def _damaged(why: str) -> Exception:
    return refuse(f"It is not a whole safetensors file. {why}.", "Make it again.")


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _entries(values: Mapping[str, Any], room: int) -> dict[str, TensorEntry]:
    """Check what the header says of each tensor; together they fill the ``room`` bytes behind it."""
    entries, spans = {}, []
    for name, value in values.items():
        entries[name], span = _entry(name, value)
        spans.append(span)
    end = 0
    for first, last in sorted(spans):
        if first != end:
            raise _damaged("Its tensors overlap, or leave gaps")
        end = last
    if end != room:
        raise _damaged(f"Its tensors take {end} bytes, the file has {room}")
    return entries


def _entry(name: str, value: object) -> tuple[TensorEntry, tuple[int, int]]:
    fields = value if isinstance(value, dict) else {}
    dtype, shape, span = (fields.get(one) for one in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in _SIZES:
        raise refuse(f"'{name:.40}' has the type {brief(dtype)}.", "Save it as float32.")
    if not _whole(shape) or len(shape) > _MAX_DIMENSIONS or not _whole(span) or len(span) != 2:
        raise _damaged(f"Shape or place of '{name:.40}' are not understood")
    if span[1] - span[0] != prod(shape) * _SIZES[dtype]:
        raise _damaged(f"'{name:.40}' has other bytes than its shape asks for")
    return TensorEntry(dtype, tuple(shape)), (span[0], span[1])


def _whole(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(one) is int and 0 <= one < 2**48 for one in values)
