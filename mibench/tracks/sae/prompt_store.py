"""Activations of prompts, token after token, computed once and kept on disk where there is a folder for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from mibench.core.errors import DataError, StoreError
from mibench.core.files import atomic_path
from mibench.core.hashing import array_digest, canonical_json, digest
from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import width_of
from mibench.engine.activations.prompts import ragged
from mibench.tracks.sae.evaluation import Ground, Network

FORMAT = 1
FOLDER = "prompts"


class Sliceable(Protocol):
    """A matrix of activations, in memory or on disk."""

    def __getitem__(self, rows: slice, /) -> Tensor:
        """Return these rows."""
        ...


@dataclass(frozen=True)
class PromptRequest:
    """Which activations, and how to get them.

    Attributes:
        ids: Token ids of each prompt.
        skipped: Tokens at the start of each that are not kept (BOS).
        points: Where to read.
        ground: Says how, and in which folder they are kept.
        network: The model.
    """

    ids: Sequence[Sequence[int]]
    skipped: int
    points: tuple[HookPoint, ...]
    ground: Ground
    network: Network

    @cached_property
    def key(self) -> str:
        """sha256 of all that fixes what is kept."""
        ref = self.network.ref
        return digest(
            {
                "format": FORMAT,
                "model": [ref.digest, ref.dtype, ref.attention],
                "points": [point.name for point in self.points],
                "ids": [list(one) for one in self.ids],
                "skipped": self.skipped,
            }
        )

    @property
    def n_tokens(self) -> int:
        """Tokens that are kept."""
        return sum(len(one) - self.skipped for one in self.ids)


def prompt_activations(request: PromptRequest) -> Mapping[HookPoint, Sliceable]:
    """Return activations ``[tokens, width]`` by hook point, prompt after prompt, shortest first, in order of a length.

    Raises:
        DataError: The model cannot be given these prompts, or has no such point.
        StoreError: They cannot be written.
    """
    _check(request)
    folder = request.ground.cache
    if folder is None:
        return _computed(request)
    path = folder / FOLDER / f"{request.key}.safetensors"
    found = _stored(request, path)
    if found is None:
        _save(request, path)
        found = _stored(request, path)
    if found is None:
        why, do = "It was written just now, and is not what was written.", "Check the disk, or use another folder."
        raise StoreError(f"{path} cannot be read back.", why=why, do=do)
    return found


def _check(request: PromptRequest) -> None:
    model = request.network.model
    last, rows = max(max(one) for one in request.ids), int(model.hf.get_input_embeddings().num_embeddings)
    if last >= rows:
        why = f"The model's vocabulary ends at {rows - 1}."
        raise DataError(f"A text has token id {last}.", why=why, do="Use the model's own tokenizer.")
    most = getattr(model.hf.config, "max_position_embeddings", None)
    longest = max(len(one) for one in request.ids)
    if most is not None and longest > most:
        why, do = f"The model reads {most} tokens at once.", "Use a task whose setting max_tokens is lower."
        raise DataError(f"A text of {longest} tokens is too long for the model.", why=why, do=do)


def _computed(request: PromptRequest) -> dict[HookPoint, Tensor]:
    model, ground = request.network.model, request.ground
    shapes = {point: (request.n_tokens, width_of(model, point)) for point in request.points}
    found = {point: torch.empty(shape, dtype=model.accumulate) for point, shape in shapes.items()}
    start = 0
    runs = ragged(model, request.ids, request.points, ground.batch_tokens, ground.counter, ground.progress)
    for row, values in runs:
        stop = start + len(request.ids[row]) - request.skipped
        for point, tensor in found.items():
            tensor[start:stop] = values[point][request.skipped :]
        start = stop
    return found


def _save(request: PromptRequest, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {point.name: values for point, values in _computed(request).items()}
    head = {"key": request.key, "sha256": {name: array_digest(value.numpy()) for name, value in tensors.items()}}
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={"mibench": canonical_json(head).decode()})
        except SafetensorError as error:
            raise StoreError(f"{path} could not be written.", why=f"{error}.", do="Free space.") from error


def _stored(request: PromptRequest, path: Path) -> dict[HookPoint, Sliceable] | None:
    """Return what is on disk, read piece by piece when it is used; None: it is not there, or is damaged."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        return None
    try:
        stream: Any = safe_open(path, framework="pt", device="cpu")
        head = json.loads((stream.metadata() or {}).get("mibench", "{}"))
        whole = all(_is_whole(stream, head, request, point) for point in request.points)
        return {point: stream.get_slice(point.name) for point in request.points} if whole else None
    except (SafetensorError, OSError, ValueError, RecursionError, AttributeError):
        return None


def _is_whole(stream: Any, head: Any, request: PromptRequest, point: HookPoint) -> bool:
    values = stream.get_tensor(point.name)
    model = request.network.model
    if values.shape != (request.n_tokens, width_of(model, point)) or values.dtype != model.accumulate:
        return False
    return bool(
        head.get("key") == request.key and head.get("sha256", {}).get(point.name) == array_digest(values.numpy())
    )
