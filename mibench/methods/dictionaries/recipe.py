"""How long and how fast to train, checked against what there is to train on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from mibench.core.errors import MethodError
from mibench.engine.activations.source import ActivationSource

_MOST_ENTRIES = 2**33


def _unset(value: Any) -> Any:
    return None if isinstance(value, str) and value in {"None", "none", ""} else value


_Unset = BeforeValidator(_unset)
Width = Annotated[int, Field(ge=1, le=2**21)]
"""Number of latents."""
Kept = Annotated[int, Field(ge=1, le=2**21)]
"""Latents kept of a token."""
Components = Annotated[Annotated[int, Field(ge=1, le=2**21)] | None, _Unset]
"""A number of components, or None (also as text): all of them."""
Batch = Annotated[int, Field(ge=1, le=2**20)]
"""Tokens a step."""
Tokens = Annotated[Annotated[int, Field(ge=1, le=10**12)] | None, _Unset]
"""Tokens to train on, or None (also as text): one epoch."""
Rate = Annotated[Annotated[float, Field(gt=0, le=1)] | None, _Unset]
"""A learning rate, or None: chosen by width."""
Target = Annotated[float, Field(gt=0, le=2**21)]
"""Latents active per token that are aimed at."""
Coefficient = Annotated[Annotated[float, Field(ge=0, le=1e9)] | None, _Unset]
"""What sparsity costs, or None: adapted until the target is met."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        width: Number of latents.
        steps: Number of steps.
        batch: Tokens a step.
        lr: Learning rate, at its height.
    """

    width: int
    steps: int
    batch: int
    lr: float

    @property
    def dead_after(self) -> int:
        """Tokens without a single activation after which a latent counts as dead: 1/32 of the training."""
        return max(self.steps * self.batch // 32, self.batch)

    @property
    def content(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def scaled_rate(width: int) -> float:
    """8e-4 · √(2¹⁴ / width), at most 0.01.

    The best rate falls with the root of the width (Gao et al. 2024, figure 3). It is four times theirs, which is for a
    hundred thousand steps: after 390 steps on a residual stream of width 576, at width 2,048, topk explains .82 of the
    variance of ordinary tokens with 2e-3, .78 with 6e-4 and .80 with 5e-3.
    """
    return min(0.01, 8e-4 * math.sqrt(2**14 / width))


def recipe_for(source: ActivationSource, width: int, tokens: int | None, batch: int, lr: float | None) -> Recipe:
    """A recipe for a source.

    Args:
        source: What there is to train on.
        width: Number of latents.
        tokens: Tokens to train on; None: one epoch.
        batch: Tokens a step.
        lr: Learning rate; None: by width.

    Raises:
        MethodError: There are fewer tokens than one step takes, or the dictionary would be too large.
    """
    wanted = source.n_tokens if tokens is None else tokens
    if min(wanted, source.n_tokens) < batch:
        raise MethodError(
            f"A step takes {batch} tokens, and there are {min(wanted, source.n_tokens)}.",
            why=f"The training text has {source.n_tokens} tokens, tokens={tokens}.",
            do="Give a smaller batch, or more tokens.",
        )
    if width * (source.d_in + source.d_out) > _MOST_ENTRIES:
        raise MethodError(
            f"A dictionary of {width} latents at a width of {source.d_in} is too large.",
            why=f"Its matrices would have more than {_MOST_ENTRIES} entries.",
            do="Give a smaller width.",
        )
    return Recipe(width, wanted // batch, batch, scaled_rate(width) if lr is None else lr)


def check_kept(k: int, width: int) -> None:
    """Check that k of ``width`` latents can be kept.

    Raises:
        MethodError: There are not so many.
    """
    if k > width:
        raise MethodError(
            f"{k} latents of a token cannot be kept.",
            why=f"The dictionary has {width}.",
            do="Give a smaller k, or a larger width.",
        )


def check_target(l0: float, width: int) -> None:
    """Check that ``l0`` of ``width`` latents can be active.

    Raises:
        MethodError: There are not so many.
    """
    if l0 > width / 2:
        raise MethodError(
            f"An L0 of {l0:g} cannot be aimed at.",
            why=f"The dictionary has {width} latents, of which a penalty for sparsity leaves less than half.",
            do="Give a smaller l0, or a larger width.",
        )
