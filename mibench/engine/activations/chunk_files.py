"""Chunks of activations on disk: one safetensors file each, whole or not there, checked before it is used."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mibench.core.errors import StoreError
from mibench.core.files import MIB, atomic_path, atomic_write
from mibench.core.hashing import canonical_json
from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import Found
from mibench.engine.activations.request import FORMAT, StoreRequest

MANIFEST = "manifest.json"
_SPARE = 64 * MIB
"""What must stay free on the disk."""
_ABANDONED = 3600.0
"""Seconds after which a temporary file is one that a killed process left."""


class ChunkFiles:
    """The chunks of one request, in a folder of their own.

    A file carries the sha256 of its tensors, which is checked when a process reads it first. Files appear whole, by a
    rename, and have the same content whoever makes them, so processes need no lock.
    """

    def __init__(self, request: StoreRequest, stores: Path) -> None:
        self._request = request
        self.folder = stores / request.key
        self._checked: set[int] = set()
        self._known: set[int] | None = None

    def path(self, chunk: int) -> Path:
        """Where a chunk is."""
        return self.folder / f"chunk-{chunk:05d}.safetensors"

    def present(self) -> list[int]:
        """Chunks that are there, unchecked."""
        return [chunk for chunk in range(self._request.n_chunks) if self.path(chunk).is_file()]

    def load(self, chunk: int) -> Found | None:
        """Return a chunk as it is on disk, on the model's device; None: it is not there, or is damaged."""
        path = self.path(chunk)
        if not path.is_file():
            return None
        fault, found = self._read(path, chunk)
        if fault:
            self._request.say(f"{path} is made again: {fault}.")
            return None
        self._checked.add(chunk)
        return {point: values.to(self._request.model.device) for point, values in found.items()}

    def save(self, chunk: int, found: Found) -> int:
        """Write a chunk, and return how many there are by now.

        Raises:
            StoreError: There is too little room, or it cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        known = self._prepare()
        tensors = {point.name: values.cpu().contiguous() for point, values in found.items()}
        head = {"key": self._request.key, "chunk": chunk, "sha256": _tensors_digest(tensors)}
        path = self.path(chunk)
        with atomic_path(path) as temporary:
            try:
                save_file(tensors, temporary, metadata={"mibench": canonical_json(head).decode()})
            except SafetensorError as error:
                why = f"{error}."
                raise StoreError(f"{path} could not be written.", why=why, do="Free space, or use another.") from error
        self._checked.add(chunk)
        known.add(chunk)
        return len(known)

    def _read(self, path: Path, chunk: int) -> tuple[str, Found]:
        """Return what is wrong with a file, ``""`` for nothing, and its tensors."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt", device="cpu") as stream:
                head = json.loads((stream.metadata() or {}).get("mibench", "{}"))
                found = {point: stream.get_tensor(point.name) for point in self._request.points}
        except (SafetensorError, OSError, ValueError, RecursionError) as error:
            return f"it cannot be read ({str(error)[:200]})", {}
        if not isinstance(head, dict) or (head.get("key"), head.get("chunk")) != (self._request.key, chunk):
            return "it is of another store", {}
        if not all(self._fits(point, values, chunk) for point, values in found.items()):
            return "its tensors have another shape or type", {}
        if chunk not in self._checked:
            named = {point.name: values for point, values in found.items()}
            if head.get("sha256") != _tensors_digest(named):
                return "its content does not have the digest that it names", {}
        return "", found

    def _fits(self, point: HookPoint, values: Tensor, chunk: int) -> bool:
        rows = self._request.rows(chunk)
        shape = (rows.stop - rows.start, self._request.blocks.context, self._request.widths[point])
        return values.shape == shape and values.dtype == self._request.model.dtype

    def _prepare(self) -> set[int]:
        """Before the first chunk is written: check the room, tidy up, say what the store is; return what is there."""
        if self._known is None:
            self._check_room()
            _remove_abandoned(self.folder)
            manifest, path = canonical_json(_manifest(self._request)), self.folder / MANIFEST
            if not path.is_file() or path.stat().st_size != len(manifest) or path.read_bytes() != manifest:
                atomic_write(path, manifest)
            self._known = set(self.present())
        return self._known

    def _check_room(self) -> None:
        request, size = self._request, self._request.total_bytes
        advice = "Use fewer tokens or another folder, or leave the store out: the model is then run each time."
        if request.max_bytes is not None and size > request.max_bytes:
            why = f"It takes {size / MIB:.0f} MiB, and {request.max_bytes / MIB:.0f} MiB are allowed."
            raise StoreError("The activations are too large to be stored.", why=why, do=advice)
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
        if not self.folder.is_dir():
            why = "The folder cannot be made."
            raise StoreError(f"Activations cannot be stored in {self.folder.parent}.", why=why, do="Choose another.")
        missing = size - sum(self.path(chunk).stat().st_size for chunk in self.present())
        free = shutil.disk_usage(self.folder).free
        if missing + _SPARE > free:
            why = f"They need {missing / MIB:.0f} MiB more and {_SPARE / MIB:.0f} to spare; {free / MIB:.0f} are free."
            raise StoreError(f"The disk of {self.folder.parent} is too full for the activations.", why=why, do=advice)


def _tensors_digest(tensors: dict[str, Tensor]) -> str:
    """Return the sha256 of names, types, shapes and bytes."""
    found = hashlib.sha256()
    for name, values in sorted(tensors.items()):
        found.update(canonical_json([name, str(values.dtype), list(values.shape)]))
        found.update(values.contiguous().view(torch.uint8).numpy().data)
    return found.hexdigest()


def _manifest(request: StoreRequest) -> dict[str, Any]:
    blocks = request.blocks
    return {
        "format": FORMAT,
        "key": request.key,
        "model": request.ref.model_dump(mode="json"),
        "points": [point.name for point in request.points],
        "corpus": blocks.corpus,
        "split": blocks.split,
        "context": blocks.context,
        "bos": blocks.bos,
        "tokens": blocks.n_scored,
        "chunks": request.n_chunks,
        "bytes": request.total_bytes,
    }


def _remove_abandoned(folder: Path) -> None:
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()
