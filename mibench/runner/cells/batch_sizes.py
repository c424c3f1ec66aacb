"""Smaller batches where memory runs out: they change rounding only, and no cell."""

from __future__ import annotations

import gc

import torch

from mibench.core.errors import causes
from mibench.engine.batches import MAX_TOKENS
from mibench.runner.settings import RunSettings

_SIGNS = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")


def of_at_most(settings: RunSettings, batch_size: int | None) -> RunSettings:
    """The same run with so many pairs a batch at most, and as much fewer tokens; None: as it is."""
    if batch_size is None or batch_size >= settings.batch_size:
        return settings
    tokens = (settings.batch_tokens or MAX_TOKENS) * batch_size // settings.batch_size
    return settings.model_copy(update={"batch_size": batch_size, "batch_tokens": max(1, tokens)})


def is_of_memory(error: BaseException) -> bool:
    """Whether an error, or one that it came from, says that memory ran out."""
    return any(
        isinstance(one, MemoryError | torch.OutOfMemoryError)
        or (isinstance(one, RuntimeError) and any(sign in str(one).lower() for sign in _SIGNS))
        for one in causes(error)
    )


def free_memory() -> None:
    """Give back what a failed try has left."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
