"""An unfinished training on disk: one file in the format of safetensors, whole or not there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mibench.core.files import atomic_write

FILE = "training.state"
_DONE, _DECAY, _SECONDS, _IDENTITY = "steps", "decay_from", "seconds", "identity"


@dataclass
class State:
    """How far a training is.

    Attributes:
        tensors: Weights and what the optimiser keeps of them, changed in place.
        steps: Steps that are done.
        decay_from: Step from which the learning rate falls; None: not yet.
        seconds: Time spent.
    """

    tensors: dict[str, Tensor]
    steps: int = 0
    decay_from: int | None = None
    seconds: float = 0.0


def save_state(folder: Path, state: State, identity: str) -> None:
    """Write a training's state.

    Raises:
        StoreError: The file cannot be written.
    """
    tensors = {name: tensor.detach().contiguous() for name, tensor in state.tensors.items()}
    decay = "" if state.decay_from is None else str(state.decay_from)
    meta = {_DONE: str(state.steps), _DECAY: decay, _SECONDS: repr(state.seconds), _IDENTITY: identity}
    atomic_write(folder / FILE, save(tensors, meta))


def restore_state(folder: Path, state: State, identity: str) -> bool:
    """Bring a state to what was saved of the same training; False, and unchanged, if there is nothing of the kind."""
    try:
        with safe_open(folder / FILE, framework="pt") as stream:
            meta = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        if meta.get(_IDENTITY) != identity or _forms(tensors) != _forms(state.tensors):
            return False
        steps, seconds = int(meta[_DONE]), float(meta[_SECONDS])
        decay = int(meta[_DECAY]) if meta[_DECAY] else None
    except (SafetensorError, OSError, ValueError, KeyError):
        return False
    with torch.no_grad():
        for name, tensor in state.tensors.items():
            tensor.copy_(tensors[name])
    state.steps, state.seconds, state.decay_from = steps, seconds, decay
    return True


def _forms(tensors: dict[str, Tensor]) -> dict[str, tuple[torch.dtype, torch.Size]]:
    return {name: (tensor.dtype, tensor.shape) for name, tensor in tensors.items()}
