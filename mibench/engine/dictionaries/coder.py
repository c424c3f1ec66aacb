"""A dictionary on a device: encode, decode, reconstruct, with decoder rows of unit norm."""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.formula import EPSILON
from mibench.engine.dictionaries.nonlinearity import activate

_PART = 2**15
"""Rows of the decoder whose norms are taken at once."""


class Coder:
    """Computes with a dictionary.

    Latents are in the units of the activation: the norms of the decoder's rows, and the scaling of the input, are
    folded into them after the nonlinearity, so that they change nothing but the units, whatever the nonlinearity is. A
    latent whose row is zero is therefore always 0. With layer-norm scaling a latent holds its token's standard
    deviation.

    Everything, the comparison with thresholds too, is done in ``dtype``: in bfloat16 a latent near its threshold may
    come out on the other side.

    Attributes:
        dictionary: As data.
        decoder: Unit rows ``[d_sae, d_out]``; a row of zeros stays one.
        d_in, d_out, d_sae: Sizes.

    Args:
        dictionary: A validated dictionary.
        device: Where to compute.
        dtype: Type to compute in.
    """

    def __init__(self, dictionary: Dictionary, *, device: torch.device, dtype: torch.dtype) -> None:
        self.dictionary = dictionary
        self.d_in, self.d_out, self.d_sae = dictionary.d_in, dictionary.d_out, dictionary.d_sae
        rows = torch.tensor(dictionary.tensors["w_dec"])
        norms = _norms(rows)
        rows = rows.to(device, torch.promote_types(dtype, torch.float32))
        self.decoder: Tensor = (rows / norms.where(norms > 0, 1.0).to(rows)[:, None]).to(dtype)
        rule = dictionary.rule
        factor = rule.scale if rule.scaling == "constant" else 1.0
        self._units: Tensor = (norms / factor).to(device, dtype)
        self._bias: Tensor = (torch.tensor(dictionary.tensors["b_dec"], dtype=torch.float64) / factor).to(device, dtype)
        self._tensors: dict[str, Tensor] = {
            name: torch.tensor(array).to(device, dtype) for name, array in dictionary.tensors.items() if name != "w_dec"
        }

    def encode(self, x: Tensor) -> Tensor:
        """Latents ``[..., d_sae]`` of activations ``[..., d_in]``."""
        rule, tensors = self.dictionary.rule, self._tensors
        x = x.to(self.decoder.dtype)
        units = self._units
        if rule.scaling == "constant":
            x = x * rule.scale
        elif rule.scaling == "layer-norm":
            x, _, std = _normalised(x)
            units = units * std
        if rule.pre_bias:
            x = x - tensors["b_dec"]
        return activate(rule, tensors, x @ tensors["w_enc"]) * units

    def decode(self, latents: Tensor, x: Tensor | None = None) -> Tensor:
        """Reconstruction ``[..., d_out]``; ``x`` is what was encoded, needed for layer-norm scaling and a skip.

        Raises:
            ValueError: ``x`` is needed and missing.
        """
        skip, layer_norm = self._tensors.get("w_skip"), self.dictionary.rule.scaling == "layer-norm"
        written = latents @ self.decoder
        if skip is None and not layer_norm:
            return written + self._bias
        if x is None:
            raise ValueError("Layer-norm scaling and a skip need the activation that was encoded.")
        x = x.to(self.decoder.dtype)
        if not layer_norm:
            return written + self._bias if skip is None else written + self._bias + x @ skip
        x, mean, std = _normalised(x)
        constant = self._bias if skip is None else self._bias + x @ skip
        return written + constant * std + mean

    def reconstruct(self, x: Tensor) -> Tensor:
        """Reconstruction ``[..., d_out]`` of activations ``[..., d_in]``."""
        return self.decode(self.encode(x), x)


def _norms(rows: Tensor) -> Tensor:
    """Norms ``[d_sae]`` in float64, of a part at a time: as a whole it would take twice the memory of the decoder."""
    parts = [rows[start : start + _PART] for start in range(0, len(rows), _PART)]
    return torch.cat([torch.linalg.vector_norm(part, dim=-1, dtype=torch.float64) for part in parts])


def _normalised(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``x`` normalised, its mean and its standard deviation ``[..., 1]``, each token by itself."""
    mean = x.mean(-1, keepdim=True)
    centred = x - mean
    std = centred.std(-1, keepdim=True)
    return centred / (std + EPSILON), mean, std
