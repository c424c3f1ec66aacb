"""Activations of prompts of several lengths, without padding: prompts of one length are run together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from mibench.core.hook_points import HookPoint
from mibench.engine.activations.capture import Found, read
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel

BATCH_TOKENS = 2048
"""Tokens of a forward pass, by default."""


def ragged(
    model: LanguageModel,
    prompts: Sequence[Sequence[int]],
    points: Sequence[HookPoint],
    batch_tokens: int = BATCH_TOKENS,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
) -> Iterator[tuple[int, Found]]:
    """Yield the activations of each prompt, shortest prompts first.

    Args:
        model: The model.
        prompts: Token ids of each; an empty prompt gives activations ``[0, width]``.
        points: Where to read.
        batch_tokens: Tokens of a forward pass, at most (a single prompt may be longer).
        counter: Counts passes, those through a part of the layers as that part, rounded.
        progress: Told how many prompts are done.

    Yields:
        Which prompt, and its activations ``[pos, width]`` by hook point.

    Raises:
        DataError: The model has no such point.
    """
    share = share_of(model, points)
    counted, done = counter or NoCounter(), 0
    for rows in groups([len(prompt) for prompt in prompts], batch_tokens):
        ids = torch.tensor([list(prompts[row]) for row in rows], dtype=torch.long, device=model.device)
        found = read(model, ids, points)
        counted.forward(round(share * len(rows)))
        for place, row in enumerate(rows):
            yield row, {point: value[place] for point, value in found.items()}
        done += len(rows)
        progress(done, len(prompts))


def share_of(model: LanguageModel, points: Sequence[HookPoint]) -> float:
    """Share of the model's layers that reading hook points runs through."""
    return (1 + max(point.layer for point in points)) / model.anatomy.n_layers if points else 0.0


def groups(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Yield numbers of prompts of one length that fit a batch, shortest first, in order within a length."""
    by_length: dict[int, list[int]] = {}
    for row, length in enumerate(lengths):
        by_length.setdefault(length, []).append(row)
    for length in sorted(by_length):
        rows, size = by_length[length], max(1, batch_tokens // max(1, length))
        for start in range(0, len(rows), size):
            yield rows[start : start + size]
