"""Random models of the sizes that MIB uses, written out here: nothing is downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from transformers import AutoModelForCausalLM, Gemma2Config, GPT2Config, LlamaConfig, Qwen2Config

from mibench.graph.graph import Graph

_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}


@dataclass(frozen=True)
class Shape:
    """A model's configuration, and what follows from it.

    Attributes:
        name: What users write.
        config: Of transformers.
        attention: Kernel that it is run with; Gemma 2 caps attention scores, which needs eager.
    """

    name: str
    config: Any
    attention: str = "sdpa"

    def model(self, device: torch.device | str, dtype: torch.dtype, seed: int = 0) -> Any:
        """A model with random weights, made on the device itself."""
        torch.manual_seed(seed)
        with torch.device(device):
            made = AutoModelForCausalLM.from_config(self.config, dtype=dtype, attn_implementation=self.attention)
        return made.eval().requires_grad_(requires_grad=False)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.config.hidden_size)

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return int(self.config.num_hidden_layers)

    @property
    def n_heads(self) -> int:
        """Query heads of a layer."""
        return int(self.config.num_attention_heads)

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return int(getattr(self.config, "head_dim", None) or self.d_model // self.n_heads)

    @property
    def d_kv(self) -> int:
        """Width of the keys of a token, and of its values."""
        return int(getattr(self.config, "num_key_value_heads", self.n_heads)) * self.head_dim

    @property
    def d_mlp(self) -> int:
        """Width between the matrices of an MLP."""
        return int(getattr(self.config, "intermediate_size", None) or 4 * self.d_model)

    @property
    def graph(self) -> Graph:
        """The computation graph."""
        return Graph(self.n_layers, self.n_heads, parallel=False)

    @cached_property
    def block_params(self) -> int:
        """Entries of all matrices of the blocks: what a token is multiplied with on its way up."""
        with torch.device("meta"):
            made = AutoModelForCausalLM.from_config(self.config)
        named = [(name, one) for name, one in made.named_parameters() if one.ndim == 2]
        outside = ("embed_tokens", "wte", "wpe", "lm_head")
        return sum(one.numel() for name, one in named if not any(word in name for word in outside))

    @property
    def head_params(self) -> int:
        """Entries of the vocabulary matrix, which only positions with logits are multiplied with."""
        return int(self.config.vocab_size) * self.d_model

    def pass_flops(self, tokens: int, answers: int = 1) -> float:
        """Multiplications and additions of a forward pass of one prompt; attention scores left out.

        A backward pass towards activations, the weights frozen, takes as many again.

        Args:
            tokens: Of the prompt.
            answers: Positions at which logits are computed.
        """
        return 2.0 * (self.block_params * tokens + self.head_params * answers)

    def score_flops(self, tokens: int) -> float:
        """Those of multiplying source differences with destination gradients, for all edges of one prompt."""
        return 2.0 * self.graph.n_edges * self.d_model * tokens


def _tiny() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=128,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=False,
    )


def _smollm2() -> LlamaConfig:
    return LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 100_000.0},
    )


def _qwen() -> Qwen2Config:
    return Qwen2Config(
        vocab_size=151_936,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
    )


def _gemma() -> Gemma2Config:
    return Gemma2Config(
        vocab_size=256_000,
        hidden_size=2304,
        intermediate_size=9216,
        num_hidden_layers=26,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=256,
        query_pre_attn_scalar=256,
        sliding_window=4096,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        tie_word_embeddings=True,
    )


def _llama(*, layers: int, heads: int, width: int, d_mlp: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=128_256,
        hidden_size=width,
        intermediate_size=d_mlp,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=8,
        max_position_embeddings=131_072,
        rms_norm_eps=1e-5,
        tie_word_embeddings=False,
        rope_parameters=_LLAMA3,
    )


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("tiny", _tiny()),
        Shape("gpt2", GPT2Config()),
        Shape("smollm2-135m", _smollm2()),
        Shape("qwen2.5-0.5b", _qwen()),
        Shape("gemma-2-2b", _gemma(), "eager"),
        Shape("llama-3.1-8b", _llama(layers=32, heads=32, width=4096, d_mlp=14_336)),
        Shape("llama-3.1-70b", _llama(layers=80, heads=64, width=8192, d_mlp=28_672)),
    )
}
"""By name, small ones first."""
