"""Which stores a folder has, and removing one."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError, StoreError
from mibench.core.files import MIB, is_folder, read_text
from mibench.core.names import unknown
from mibench.engine.activations.chunk_files import MANIFEST

_KEY = re.compile(r"[0-9a-f]{64}")
_OURS = re.compile(r"chunk-\d{5,}\.safetensors|\.(chunk-\d{5,}\.safetensors|manifest\.json)\.[0-9a-f]+\.tmp")


@dataclass(frozen=True)
class StoreInfo:
    """A store on disk.

    Attributes:
        key: Its name.
        model: Name of the model.
        points: Hook points.
        corpus: Name of the text, with its split.
        tokens: Tokens that count.
        chunks: Chunks that are there.
        of: Chunks that it has when it is whole.
        bytes: Size on disk.
    """

    key: str
    model: str
    points: tuple[str, ...]
    corpus: str
    tokens: int
    chunks: int
    of: int
    bytes: int


def list_stores(folder: Path) -> list[StoreInfo]:
    """Return the stores in a folder, sorted by key; what is no store is passed over."""
    if not is_folder(folder):
        return []
    found = (_info(path) for path in sorted(folder.iterdir()) if _KEY.fullmatch(path.name))
    return [info for info in found if info is not None]


def remove_store(folder: Path, key: str) -> int:
    """Remove a store, and return the bytes that it took; files that are not of a store are left.

    Raises:
        UsageError: There is no such store.
        StoreError: A file cannot be removed.
    """
    if key not in {info.key for info in list_stores(folder)}:
        raise unknown("activation store", key, [info.key for info in list_stores(folder)])
    size = 0
    try:
        # The manifest goes last: a store that is half removed can be removed again.
        for path in [*_files(folder / key), folder / key / MANIFEST]:
            size += path.stat().st_size
            path.unlink()
    except OSError as error:
        raise StoreError(
            f"{folder / key} cannot be removed.", why=f"{error.strerror}.", do="Remove it by hand."
        ) from error
    with contextlib.suppress(OSError):
        (folder / key).rmdir()
    return size


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if _OURS.fullmatch(path.name) and path.is_file()]


def _info(folder: Path) -> StoreInfo | None:
    try:
        found = json.loads(read_text(folder / MANIFEST, max_bytes=MIB))
        return _described(folder, found)
    except (MibenchError, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _described(folder: Path, manifest: dict[str, Any]) -> StoreInfo:
    files = _files(folder)
    return StoreInfo(
        key=folder.name,
        model=str(manifest["model"]["name"]),
        points=tuple(str(name) for name in manifest["points"]),
        corpus=f"{manifest['corpus']} ({manifest['split']})",
        tokens=int(manifest["tokens"]),
        chunks=sum(path.suffix == ".safetensors" for path in files),
        of=int(manifest["chunks"]),
        bytes=sum(path.stat().st_size for path in files),
    )
