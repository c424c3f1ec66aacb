"""From a head's logic to its four matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mibench.planted.features import D_MODEL, Features, FloatArray
from mibench.planted.logic import Form, Head

HEAD_DIM = 64
N_HEADS = D_MODEL // HEAD_DIM
_SCALE = 8.0
"""Attention divides scores by it: the square root of the width of a head."""

Rows = Sequence[tuple[int, Form, Form]]
"""Dimensions of a head, each with what query and key read there."""


@dataclass(frozen=True)
class Positions:
    """How an architecture tells a head where words stand.

    Attributes:
        features: Features that it needs.
        rows: From a head to the dimensions that match its offsets.
        content: Dimensions that are free for content.
    """

    features: tuple[str, ...]
    rows: Callable[[Head], Rows]
    content: tuple[int, ...]


def head_matrices(head: Head, features: Features, positions: Positions, factor: float) -> tuple[FloatArray, ...]:
    """Return the q, k and v projections ``[head_dim, d_model]`` of a head, and its output ``[d_model, head_dim]``.

    Args:
        head: Its logic.
        features: Directions.
        positions: Of the architecture.
        factor: All scores are multiplied by it.
    """
    q, k, v = (np.zeros((HEAD_DIM, D_MODEL)) for _ in range(3))
    out = np.zeros((D_MODEL, HEAD_DIM))
    for dim, query, key in positions.rows(head):
        q[dim], k[dim] = _SCALE * factor * features.read(query), features.read(key)
    for dim, term in zip(positions.content[: len(head.terms)], head.terms, strict=True):
        q[dim], k[dim] = _SCALE * factor * term.strength * features.read(term.query), features.read(term.key)
    for dim, channel in enumerate(head.channels):
        v[dim], out[:, dim] = features.read(channel.reads), features.write(channel.writes)
    return q, k, v, out
