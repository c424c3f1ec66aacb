"""Digests: equal meaning gives equal hex, on every machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def canonical_json(value: Any) -> bytes:
    """Encode ``value`` as JSON with sorted keys and no spaces; NaN and infinity are refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """Return the sha256 hex digest of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def file_digest(path: Path | str) -> str:
    """Return the sha256 hex digest of a file's bytes."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """Return the sha256 hex digest of an array's dtype, shape and little-endian bytes.

    Raises:
        TypeError: The array holds Python objects, whose bytes are addresses.
    """
    if array.dtype.hasobject:
        raise TypeError("an array of Python objects has no digest")
    little = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    head = canonical_json([little.dtype.str, list(little.shape)])
    return hashlib.sha256(head + little.tobytes()).hexdigest()
