"""Gemma 2: norms before and after attention and MLP, soft-capped logits, alternating sliding windows."""

from __future__ import annotations

from dataclasses import replace

from mibench.models.families.llama import llama
from mibench.models.layout import Layout, family


@family(architectures=("Gemma2ForCausalLM",), attention="eager")
def gemma2() -> Layout:
    """Layout of Gemma 2 models; heads sit before the attention post-norm, MLP nodes after theirs."""
    return replace(
        llama(),
        norm2="pre_feedforward_layernorm",
        mlp_end="post_feedforward_layernorm",
        post_attn="post_attention_layernorm",
        norm_offset=1.0,
    )
