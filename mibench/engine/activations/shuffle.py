"""The order of shuffled batches, from a seed alone: chunks in random order, a few of them mixed at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW = 8
"""Chunks that are mixed at a time."""


@dataclass(frozen=True)
class Piece:
    """Tokens of one window, in the order in which they are handed out.

    Attributes:
        chunks: Chunks of the window, in the order in which their tokens are counted.
        tokens: Numbers of tokens among those of the window.
    """

    chunks: tuple[int, ...]
    tokens: NDArray[np.int64]


def pieces(sizes: Sequence[int], seed: int, epoch: int, skip: int = 0) -> Iterator[Piece]:
    """Yield the windows of an epoch: each token is in one of them, once.

    Chunks are permuted, every eight of them make a window, and the tokens of a window are permuted. Each window has a
    random generator of its own, of seed, epoch and number, so leaving out the beginning needs no draws.

    Args:
        sizes: Tokens of each chunk.
        seed: Not negative.
        epoch: From 0.
        skip: Tokens to leave out at the start.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(sizes))
    for number, start in enumerate(range(0, len(order), WINDOW)):
        chunks = tuple(int(chunk) for chunk in order[start : start + WINDOW])
        size = sum(sizes[chunk] for chunk in chunks)
        if skip >= size:
            skip -= size
            continue
        tokens = np.random.default_rng([seed, epoch, number]).permutation(size)[skip:]
        yield Piece(chunks, tokens)
        skip = 0
