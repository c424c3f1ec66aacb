"""Anything that codes activations by rows of a decoder: a dictionary, or the truth itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mibench.engine.dictionaries.coder import Coder
from mibench.metrics.faithfulness import FloatArray
from mibench.tracks.sae.synthetic_oracle import Oracle

Codes = Callable[[NDArray[np.float32]], tuple[FloatArray, FloatArray]]
"""Latents ``[n, latents]`` and reconstructions of activations ``[n, width]``, in float64."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """Rows of a decoder with the codes for them.

    Attributes:
        rows: Unit rows ``[latents, width]``; a row of zeros is one of a latent without a direction.
        codes: How activations are coded, in units of the rows.
        either_sign: Whether codes may be negative, so that the sign of a row means nothing.
    """

    rows: FloatArray
    codes: Codes
    either_sign: bool = False

    @classmethod
    def of_coder(cls, coder: Coder) -> Candidate:
        """A dictionary."""
        rows = coder.decoder.double().cpu().numpy()
        return cls(rows, _by_coder(coder), either_sign=coder.dictionary.rule.activation == "linear")

    @classmethod
    def of_oracle(cls, oracle: Oracle) -> Candidate:
        """The truth."""
        return cls(oracle.rows, _by_oracle(oracle))


def _by_coder(coder: Coder) -> Codes:
    def codes(x: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
        with torch.no_grad():
            inputs = torch.from_numpy(x).to(coder.decoder.device, coder.decoder.dtype)
            latents = coder.encode(inputs)
            rebuilt = coder.decode(latents, inputs)
        return latents.double().cpu().numpy(), rebuilt.double().cpu().numpy()

    return codes


def _by_oracle(oracle: Oracle) -> Codes:
    def codes(x: NDArray[np.float32]) -> tuple[FloatArray, FloatArray]:
        found = oracle.codes(x)
        return found, oracle.decode(found)

    return codes
