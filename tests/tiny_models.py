"""Tiny random models of every family, made in the process: nothing in them is zero or one by accident."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

VOCAB = 41
_ROTARY = {
    "vocab_size": VOCAB,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32,
    "tie_word_embeddings": False,
}
_NEOX = {key: value for key, value in _ROTARY.items() if key != "num_key_value_heads"} | {
    "num_hidden_layers": 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5},
}
_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 100.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 24,
}
_PLAIN = {"rope_type": "default", "rope_theta": 100.0}


def _llama(**changes: Any) -> Any:
    return LlamaForCausalLM(LlamaConfig(**(_ROTARY | {"rope_parameters": _LLAMA3, "attention_bias": True} | changes)))


def _mistral(**changes: Any) -> Any:
    own = {"head_dim": 6, "sliding_window": 4, "rope_parameters": _PLAIN}
    return MistralForCausalLM(MistralConfig(**(_ROTARY | own | changes)))


def _qwen2(**changes: Any) -> Any:
    own = {
        "use_sliding_window": True,
        "sliding_window": 3,
        "layer_types": ["full_attention", "sliding_attention", "full_attention"],
        "rope_parameters": _PLAIN,
    }
    return Qwen2ForCausalLM(Qwen2Config(**(_ROTARY | own | changes)))


def _gemma2(**changes: Any) -> Any:
    own = {
        "head_dim": 6,
        "sliding_window": 4,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "attn_logit_softcapping": 2.0,
        "final_logit_softcapping": 3.0,
        "query_pre_attn_scalar": 9,
        "tie_word_embeddings": True,
        "rope_parameters": _PLAIN,
        "attn_implementation": "eager",
    }
    return Gemma2ForCausalLM(Gemma2Config(**(_ROTARY | own | changes)))


def _gpt2(**changes: Any) -> Any:
    own = {
        "vocab_size": VOCAB,
        "n_embd": 16,
        "n_layer": 3,
        "n_head": 4,
        "n_positions": 32,
        "bos_token_id": None,
        "eos_token_id": None,
    }
    return GPT2LMHeadModel(GPT2Config(**(own | changes)))


def _neox(**changes: Any) -> Any:
    return GPTNeoXForCausalLM(GPTNeoXConfig(**(_NEOX | changes)))


MAKERS: dict[str, Any] = {
    "llama": _llama,
    "mistral": _mistral,
    "mistral_eager": lambda **changes: _mistral(attn_implementation="eager", **changes),
    "qwen2": _qwen2,
    "gemma2": _gemma2,
    "gpt2": _gpt2,
    "gpt2_scaled": lambda **changes: _gpt2(scale_attn_by_inverse_layer_idx=True, **changes),
    "gpt_neox": lambda **changes: _neox(use_parallel_residual=True, **changes),
    "gpt_neox_sequential": lambda **changes: _neox(use_parallel_residual=False, **changes),
}
"""One or more models for every architecture that a family declares."""


def tiny_model(name: str, dtype: torch.dtype = torch.float64, seed: int = 0, **changes: Any) -> Any:
    """A random transformers model; ``changes`` go into its configuration."""
    model = MAKERS[name](**changes).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for label, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                centre = float(label.endswith("weight") and name != "gemma2")
                parameter.copy_(centre + 0.3 * noise)
            elif "embed" in label or "wte" in label:
                parameter.copy_(noise * (0.3 if name == "gemma2" else 1.0))
            else:
                parameter.copy_(noise * 1.5 / parameter.shape[-1] ** 0.5)
    return model.to(dtype)
