"""Make a float64 model compute in float64: transformers' norms and eager attention drop to float32 inside."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from mibench.models.anatomy import Anatomy, Norm

EXACT_ATTENTION = "mibench_exact"


def make_exact(anatomy: Anatomy) -> None:
    """Replace RMSNorm forwards and eager attention of a float64 model by ones that keep the type."""
    for block in anatomy.blocks:
        for module in (block.norm1, block.norm2, block.post_attn, block.mlp_end):
            _keep_type(anatomy, module)
    _keep_type(anatomy, anatomy.final_norm)
    if anatomy.config._attn_implementation == "eager":  # noqa: SLF001
        AttentionInterface.register(EXACT_ATTENTION, exact_attention)
        # Without a mask function of that name transformers makes no masks, and sliding windows are lost.
        AttentionMaskInterface.register(EXACT_ATTENTION, eager_mask)
        anatomy.config._attn_implementation = EXACT_ATTENTION  # noqa: SLF001


def _keep_type(anatomy: Anatomy, module: nn.Module | None) -> None:
    if module is not None and type(module).__name__.endswith("RMSNorm"):
        # Where accelerate has put its own forward into the module, that calls the old one.
        name = "_old_forward" if hasattr(module, "_hf_hook") else "forward"
        setattr(module, name, partial(_rms_norm, anatomy.norm(module)))


def _rms_norm(norm: Norm, x: Tensor) -> Tensor:
    return x * (x.square().mean(-1, keepdim=True) + norm.eps).rsqrt() * norm.scale


def exact_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Plain attention in the type of its inputs: q, k, v ``[batch, heads, pos, head_dim]``; mask added to scores."""
    groups = getattr(module, "num_key_value_groups", 1)
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scaling = options.get("scaling") or module.head_dim**-0.5
    scores = query @ key.transpose(-1, -2) * scaling
    cap = options.get("softcap")
    if cap is not None:
        scores = torch.tanh(scores / cap) * cap
    scores = scores + _causal(scores) if attention_mask is None else _masked(scores, attention_mask)
    return (scores.softmax(-1) @ value).transpose(1, 2).contiguous(), None


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    return scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask


def _causal(scores: Tensor) -> Tensor:
    queries, keys = scores.shape[-2:]
    return scores.new_full((queries, keys), -torch.inf).triu(keys - queries + 1)
