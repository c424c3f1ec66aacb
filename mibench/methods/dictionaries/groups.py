"""Groups of latents of a Matryoshka dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from mibench.core.errors import MethodError

_ROUNDING = 1e-6


def _numbers(value: Any) -> Any:
    if isinstance(value, str):
        return [part for part in value.strip("()[] ").split(",") if part.strip()]
    return value


Fractions = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1)], ...], BeforeValidator(_numbers), Field(min_length=1, max_length=64)
]
"""Shares, as numbers or a text with commas between them."""


def group_sizes(fractions: Sequence[float], width: int) -> tuple[int, ...]:
    """Latents of each group, the last one taking what rounding leaves.

    Args:
        fractions: Share of each, 1 in all.
        width: Latents in all.

    Raises:
        MethodError: The shares are not 1 in all, or a group would have no latent.
    """
    sizes = [int(share * width + _ROUNDING) for share in fractions[:-1]]
    sizes.append(width - sum(sizes))
    if abs(sum(fractions) - 1) > _ROUNDING or min(sizes) < 1:
        raise MethodError(
            f"{width} latents cannot be put into groups of {', '.join(f'{one:g}' for one in fractions)}.",
            why="The shares have to be 1 in all, and every group has to have a latent.",
            do="Give other groups, or a larger width.",
        )
    return tuple(sizes)
