"""Whether two seeds of a recipe find the same latents, and how alike the rows of one decoder are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from mibench.core.errors import DataError
from mibench.metrics.faithfulness import FloatArray
from mibench.metrics.metric import metric
from mibench.metrics.sae.matching import cosines, match
from mibench.records.record import MetricValue

SHARED = 0.7
"""Cosine from which two latents count as the same."""
_CONTROLS = 3
"""Pairs of random dictionaries that the floor is the mean of."""


@metric(name="latents_shared", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def latents_shared(similarity: FloatArray) -> float:
    """Share of the latents of two dictionaries that agree: matched one-to-one with ``|cos| ≥ .7``.

    Over the smaller number of latents. Floor: two random dictionaries of the same shapes.

    Range: [0, 1]. Higher is better. Source: Paulo and Belrose 2025 (arXiv 2501.16615).

    Args:
        similarity: Absolute cosines of matched rows ``[pairs]``.
    """
    return float((similarity >= SHARED).mean())


@metric(name="latents_similarity", version=1, track="sae", unit="", higher_is_better=True, ceiling=1.0)
def latents_similarity(similarity: FloatArray) -> float:
    """Mean ``|cos|`` of the latents of two dictionaries, matched one-to-one.

    Floor: two random dictionaries of the same shapes, which are the more alike the fewer entries they have.

    Range: [0, 1]. Higher is better. Source: Paulo and Belrose 2025 (arXiv 2501.16615).

    Args:
        similarity: Absolute cosines of matched rows ``[pairs]``.
    """
    return float(similarity.mean())


@metric(name="decoder_correlation", version=1, track="sae", unit="", higher_is_better=None)
def decoder_correlation(decoder: FloatArray) -> float | None:
    """Mean ``|cos|`` between different rows of a decoder; None for fewer than two.

    At a sparsity below the true one latents mix features and rows grow alike: over dictionaries of one width it is
    smallest near the true sparsity. Neither end is better by itself. Range: [0, 1]. Source: Chanin and Garriga-Alonso
    2025 (arXiv 2508.16560). Cost: ``latents²`` products.

    Args:
        decoder: Rows ``[latents, width]``, of any length.
    """
    count = len(decoder)
    if count < 2:
        return None
    norms = np.linalg.norm(decoder, axis=1, keepdims=True)
    unit = decoder / np.where(norms > 0, norms, 1.0)
    blocks = (unit[start : start + 1024] for start in range(0, count, 1024))
    total = sum(float(np.abs(block @ unit.T).sum()) for block in blocks)
    return (total - float((unit**2).sum())) / (count * (count - 1))


def matched_similarity(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return ``|cos|`` of rows ``[latents, width]`` of two dictionaries, matched one-to-one ``[pairs]``."""
    matching = match(cosines(first, second, either_sign=True))
    return matching.similarity[matching.matched]


def stability(
    decoders: Sequence[FloatArray], encoders: Sequence[FloatArray] = (), *, seed: int = 0
) -> dict[str, MetricValue]:
    """Return how far dictionaries of different seeds agree: means over all pairs, with the floor of random ones.

    Names end in ``_decoder`` and, where encoders are given, ``_encoder``. The range over pairs is no interval, since
    pairs share dictionaries, so none is given. ``decoder_correlation`` is the mean over the dictionaries.

    Args:
        decoders: Rows of each decoder ``[latents, width]``, two or more.
        encoders: Directions of each encoder, likewise a row a latent; or nothing.
        seed: Of the random dictionaries.

    Raises:
        DataError: There are fewer than two, or their widths differ.
    """
    _check(decoders)
    found = _agreement("decoder", decoders, seed)
    if encoders:
        _check(encoders)
        found |= _agreement("encoder", encoders, seed)
    rows = [value for decoder in decoders if (value := decoder_correlation(decoder)) is not None]
    if rows:
        random = [value for pair in _random_pairs(decoders[:2], seed) if (value := decoder_correlation(pair[0]))]
        floor = float(np.mean(random)) if random else None
        found[decoder_correlation.name] = _value(float(np.mean(rows)), floor, None, len(rows))
    return found


def _agreement(of: str, rows: Sequence[FloatArray], seed: int) -> dict[str, MetricValue]:
    pairs = [matched_similarity(first, second) for first, second in combinations(rows, 2)]
    chance = [matched_similarity(first, second) for first, second in _random_pairs(rows[:2], seed)]
    found = {}
    for one in (latents_shared, latents_similarity):
        value, floor = (float(np.mean([one(pair) for pair in some])) for some in (pairs, chance))
        found[f"{one.name}_{of}"] = _value(value, floor, one.ceiling, len(pairs))
    return found


def _value(value: float, floor: float | None, ceiling: float | None, n: int) -> MetricValue:
    return MetricValue(
        value=value,
        ci_reason="the pairs share dictionaries, so they cannot be resampled",
        n=n,
        floor=floor,
        ceiling=ceiling,
        higher_is_better=None if ceiling is None else True,
    )


def _random_pairs(shapes: Sequence[FloatArray], seed: int) -> list[tuple[FloatArray, FloatArray]]:
    """Pairs of random dictionaries, shaped as the first two."""
    generator = np.random.Generator(np.random.PCG64(seed))
    first, second = (one.shape for one in shapes)
    return [(generator.standard_normal(first), generator.standard_normal(second)) for _ in range(_CONTROLS)]


def _check(rows: Sequence[FloatArray]) -> None:
    shapes = [one.shape for one in rows]
    if len(shapes) < 2 or any(len(shape) != 2 or not shape[0] for shape in shapes) or len({s[-1] for s in shapes}) > 1:
        raise DataError(
            "Stability cannot be measured.",
            why=f"It takes two dictionaries or more of one width; these have the shapes {[list(s) for s in shapes]}.",
            do="Give dictionaries of one place, trained with different seeds.",
        )
