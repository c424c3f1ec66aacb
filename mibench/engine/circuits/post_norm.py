"""Sums of heads behind the norm that follows attention (Gemma 2), without norming every sum by itself.

With a what attention gives in the base, d_h the difference of a head and g the scale of the norm, a destination that
reads the heads S of a layer gets

    norm(a + Σ_S d_h) − norm(a) = Σ_S r g d_h + (r − r_0) g a,    r = 1 / rms(a + Σ_S d_h), r_0 = 1 / rms(a).

|a + Σ_S d_h|² is a sum of inner products of a and the d_h, which are the same for all destinations: of its own, each
destination has one number a layer and token, and one matrix product a token does the rest. Inner products are float64,
since in their sums large numbers may cancel; what is summed of the heads themselves keeps the type of all sums.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mibench.engine.folded import centre
from mibench.engine.model import LanguageModel


class PostNorm:
    """The norm behind the attention of a layer.

    Args:
        model: The model.
        layer: Which layer.
    """

    def __init__(self, model: LanguageModel, layer: int) -> None:
        self._norm = model.anatomy.norm(model.anatomy.blocks[layer].post_attn)
        self._scale = self._norm.scale.to(model.device, model.accumulate)

    def products(self, parts: Tensor) -> Tensor:
        """Inner products over d_model of what is added before the norm, ``[tokens, n, d_model]``.

        Returns:
            ``[tokens, n, n]`` float64.
        """
        wide = centre(parts, self._norm).double()
        return torch.bmm(wide, wide.transpose(1, 2)) / parts.shape[-1]

    def scaled(self, parts: Tensor) -> Tensor:
        """What is added before the norm, times the norm's scale; the same shape."""
        return centre(parts, self._norm) * self._scale

    def inverse(self, products: Tensor, chosen: Tensor) -> Tensor:
        """1 / rms of sums of parts, ``[tokens, sums]`` float64.

        Args:
            products: Of the parts, ``[tokens, n, n]``.
            chosen: How much of each part is in a sum, ``[n, sums]`` or ``[tokens, n, sums]``.
        """
        wide = chosen.double()
        squares: Tensor = (torch.matmul(products, wide) * wide).sum(-2)
        return (squares.clamp_min(0) + self._norm.eps).rsqrt()
