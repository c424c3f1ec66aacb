"""What a store will take, before anything is computed: disk and time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from mibench.engine.activations.capture import read
from mibench.engine.activations.chunk_files import ChunkFiles
from mibench.engine.activations.request import StoreRequest


@dataclass(frozen=True)
class Forecast:
    """What a request takes.

    Attributes:
        bytes: Size of all activations.
        already_bytes: Size of what is stored already.
        tokens: Tokens that count.
        passes: Tokens that the model has yet to be run on, those that do not count among them; without a folder,
            those of one use.
        seconds: Time for them; None: the speed is not known.
    """

    bytes: int
    already_bytes: int
    tokens: int
    passes: int
    seconds: float | None = None


def forecast(request: StoreRequest, tokens_per_second: float | None = None) -> Forecast:
    """Return what a request will take; the model is not run, and no stored number is read.

    Args:
        request: Which activations.
        tokens_per_second: Speed of the model, such as that of `measured_speed`; None: time is not foretold.
    """
    files = None if request.folder is None else ChunkFiles(request, request.folder)
    present = files.present() if files else []
    already = sum(files.path(chunk).stat().st_size for chunk in present) if files else 0
    done = sum(request.rows(chunk).stop - request.rows(chunk).start for chunk in present)
    passes = (len(request.blocks) - done) * request.blocks.context
    seconds = passes / tokens_per_second if tokens_per_second else None
    return Forecast(request.total_bytes, already, request.blocks.n_scored, passes, seconds)


def measured_speed(request: StoreRequest) -> float:
    """Return the tokens that the model runs on in a second, up to the deepest hook point, by timing one batch."""
    step = max(1, request.batch_tokens // request.blocks.context)
    ids = torch.from_numpy(request.blocks.ids[:step]).to(request.model.device, torch.long)
    # The first pass also pays for what is done once.
    read(request.model, ids[:1], request.points)
    started = time.perf_counter()
    # The sum waits for a device that works on its own.
    sum(float(values.sum()) for values in read(request.model, ids, request.points).values())
    return ids.numel() / (time.perf_counter() - started)
