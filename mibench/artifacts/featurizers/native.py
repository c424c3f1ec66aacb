"""Featurizers as safetensors: the manifest is in the metadata, or beside it in a folder.

Equal content gives equal bytes. The header is checked, sizes included, before a tensor is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mibench.artifacts.featurizers.checks import MAX_ENTRIES
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.manifest import MAX_MANIFEST, Manifest, pack, parse, unpack
from mibench.artifacts.featurizers.operation import Array, refuse
from mibench.core.errors import DataError, UsageError
from mibench.core.files import MIB, atomic_folder, atomic_write, is_file, is_folder, read_text

SUFFIX = ".safetensors"
MANIFEST = "manifest.json"
WEIGHTS = "weights.safetensors"
MAX_BYTES = 32 * 1024 * MIB
"""32 GiB; a rotation of the full width at 32 layers and 3 positions of Llama-3.1-8B takes 6."""
_DTYPES = {"F32", "F64", "I64", "BOOL"}


def write_file(featurizers: Featurizers, path: Path) -> None:
    """Write one safetensors file.

    Raises:
        ArtifactError: Parameters or meta cannot be written.
    """
    text, arrays = pack(featurizers)
    _save(arrays, path, {"mibench": text.decode()})


def write_folder(featurizers: Featurizers, folder: Path) -> None:
    """Write a new folder of manifest and weights, whole or not at all.

    Raises:
        ArtifactError: Parameters or meta cannot be written.
        StoreError: It cannot be written.
    """
    text, arrays = pack(featurizers)
    with atomic_folder(folder) as temporary:
        _save(arrays, temporary / WEIGHTS, {})
        atomic_write(temporary / MANIFEST, text + b"\n")


def _save(arrays: Mapping[str, Array], path: Path, metadata: dict[str, str]) -> None:
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path, metadata=metadata or None)


def is_native(path: Path) -> bool:
    """Whether a file or folder says that it holds featurizers; only its header is read."""
    from safetensors import SafetensorError, safe_open

    if is_folder(path):
        return is_file(path / MANIFEST)
    if not is_file(path) or path.suffix.lower() != SUFFIX:
        return False
    try:
        with safe_open(path, framework="numpy") as stream:
            values = json.loads((stream.metadata() or {}).get("mibench", "{}"))
    except (SafetensorError, OSError, ValueError, TypeError, RecursionError):
        return False
    return isinstance(values, dict) and "sites" in values


def read_file(path: Path) -> Featurizers:
    """Read one safetensors file.

    Raises:
        ArtifactError: It is damaged, too large, or not one of ours.
    """
    return _read(path, None)


def read_folder(folder: Path) -> Featurizers:
    """Read a folder of manifest and weights.

    Raises:
        ArtifactError: A part is missing, damaged or too large.
    """
    for name in (MANIFEST, WEIGHTS):
        if not is_file(folder / name):
            do = f"Give a folder with {MANIFEST} and {WEIGHTS}; mibench convert reads MIB's folders."
            raise refuse(f"It has no {name}.", do)
    try:
        text = read_text(folder / MANIFEST, max_bytes=MAX_MANIFEST)
    except (DataError, UsageError) as error:
        raise refuse(error.why, error.do) from error
    return _read(folder / WEIGHTS, parse(text))


def _read(path: Path, manifest: Manifest | None) -> Featurizers:
    from safetensors import SafetensorError, safe_open

    size = path.stat().st_size
    if size > MAX_BYTES:
        raise refuse(f"It has {size} bytes; the limit is {MAX_BYTES}.", "Give fewer sites, or narrower features.")
    try:
        with safe_open(path, framework="numpy") as stream:
            known = manifest or _manifest_in(stream.metadata())
            arrays = _arrays(stream, known.tensor_names)
    except SafetensorError as error:
        raise refuse(f"It is not a whole safetensors file: {error!s:.200}", "Make it again.") from error
    except (TypeError, ValueError) as error:
        raise refuse(f"It is not a usable safetensors file: {error!s:.200}", "Make it again.") from error
    return unpack(known, arrays)


def _manifest_in(metadata: Mapping[str, str] | None) -> Manifest:
    text = (metadata or {}).get("mibench")
    if text is None:
        do = "Write it with save_featurizers, or convert MIB's folder with mibench convert."
        raise refuse("It has no 'mibench' entry in its metadata.", do)
    return parse(text)


def _arrays(stream: Any, wanted: set[str]) -> dict[str, Array]:
    found = set(stream.keys())
    if found != wanted:
        odd = sorted(found ^ wanted)[:5]
        raise refuse(f"Manifest and tensors do not belong together: {', '.join(odd):.200}.", "Make it again.")
    for name in sorted(found):
        _check_header(name, stream.get_slice(name))
    return {name: stream.get_tensor(name) for name in sorted(found)}


def _check_header(name: str, part: Any) -> None:
    shape, dtype = tuple(part.get_shape()), part.get_dtype()
    if dtype not in _DTYPES or prod(shape) > MAX_ENTRIES or len(shape) > 2:
        why = f"'{name:.40}' is {dtype} {list(shape)[:4]}."
        raise refuse(why, "Save vectors and matrices as float32 or float64.")
