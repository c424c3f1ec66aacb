"""The state of an unfinished training on disk: tensors only, whole or not there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mibench.core.files import atomic_write
from mibench.core.hashing import digest

EVERY_SECONDS = 60.0
_NAME = "training.safetensors"


@dataclass
class Checkpoint:
    """Saves and restores tensors that change in place.

    Attributes:
        folder: Where; None: nowhere.
        identity: Everything that decides what the training will come to.
        told: Called after each time that it was saved.
        saved: When it was last saved, by the monotonic clock.
    """

    folder: Path | None
    identity: Mapping[str, Any]
    told: Callable[[], None] = lambda: None
    saved: float = field(default_factory=time.monotonic)

    def save(self, step: int, state: Mapping[str, Tensor], *, now: bool = False) -> None:
        """Save after a step, if it is time, or ``now``.

        Raises:
            StoreError: The file cannot be written.
        """
        if self.folder is None or not (now or time.monotonic() >= self.saved + EVERY_SECONDS):
            return
        from safetensors.torch import save

        tensors = {name: tensor.detach().contiguous() for name, tensor in state.items()}
        meta = {"identity": digest(self.identity), "content": _content(tensors), "step": str(step)}
        atomic_write(self.folder / _NAME, save(tensors, meta))
        self.saved = time.monotonic()
        self.told()

    def restore(self, state: Mapping[str, Tensor]) -> int:
        """Bring tensors to what was saved, if that is whole and of the same training.

        Returns:
            Steps that are done; 0 if nothing was restored, the tensors then being as they were.
        """
        found = None if self.folder is None else _read(self.folder / _NAME)
        if found is None:
            return 0
        meta, tensors = found
        if meta.get("identity") != digest(self.identity) or meta.get("content") != _content(tensors):
            return 0
        if {name: _form(one) for name, one in tensors.items()} != {name: _form(one) for name, one in state.items()}:
            return 0
        with torch.no_grad():
            for name, tensor in state.items():
                tensor.copy_(tensors[name])
        return int(meta["step"])

    def remove(self) -> None:
        """Remove what was saved."""
        if self.folder is not None:
            (self.folder / _NAME).unlink(missing_ok=True)


def _read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]] | None:
    """Metadata and tensors of a file; None if there is none that can be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as stream:
            return stream.metadata() or {}, {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError):
        return None


def _form(tensor: Tensor) -> tuple[torch.dtype, torch.Size]:
    return tensor.dtype, tensor.shape


def _content(tensors: Mapping[str, Tensor]) -> str:
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().numpy().tobytes())
    return found.hexdigest()
