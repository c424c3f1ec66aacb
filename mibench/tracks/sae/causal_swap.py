"""Interchange of latents: some of the source's in the place of the base's, what is not reconstructed left as it is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibench.engine.dictionaries.coder import Coder


@dataclass(frozen=True)
class LatentSwap:
    """An edit of one site: x' = x_b + Σ_f (f_s − f_b) w_f over the swapped latents, w_f unit rows of the decoder.

    That is the decoded swap plus the base's own error x_b − x̂_b. Nothing flows back into the encoder.

    Attributes:
        coder: The dictionary.
        taken: Which latents are swapped: indices ``[k]``, or gates in [0, 1] ``[d_sae]`` as floats; None: all.
        error: Whether the base's error is kept; without it x' is the decoded swap alone.
    """

    coder: Coder
    taken: Tensor | None = None
    error: bool = True

    def __call__(self, base: Tensor, source: Tensor) -> Tensor:
        """The activation to go on with, ``[..., width]``, from those of base and source."""
        with torch.no_grad():
            of_base = self.coder.encode(base)
            difference = self.coder.encode(source) - of_base
            start = base if self.error else self.coder.decode(of_base, base)
        return (start + self._written(difference)).to(base.dtype)

    def _written(self, difference: Tensor) -> Tensor:
        decoder = self.coder.decoder
        if self.taken is None:
            return difference @ decoder
        if self.taken.is_floating_point():
            return (difference * self.taken) @ decoder
        return difference[..., self.taken] @ decoder[self.taken]
