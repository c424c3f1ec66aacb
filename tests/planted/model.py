"""The planted network as an ordinary model of transformers, of GPT-2's or Llama's architecture."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from planted.plan import VARIABLES, Array, Plan

ARCHITECTURES = ("gpt2", "llama")
_SURE = 24.0
"""Score of the token that a moving head attends to, above all others."""


def planted_model(architecture: str = "gpt2", plan: Plan | None = None, dtype: torch.dtype = torch.float32) -> Any:
    """The network, in evaluation mode; ``model.save_pretrained`` writes a folder that anyone can load."""
    plan = plan or Plan()
    model = {"gpt2": _gpt2, "llama": _llama}[architecture](plan)
    weights = {"gpt2": _gpt2_weights, "llama": _llama_weights}[architecture](plan)
    with torch.no_grad():
        for name, value in weights.items():
            parameter = model.get_parameter(name)
            parameter.copy_(torch.as_tensor(value, dtype=torch.float64).expand_as(parameter))
    return model.to(dtype).eval()


def _gpt2(plan: Plan) -> Any:
    sizes = {"n_embd": plan.d_model, "n_layer": plan.n_layers, "n_head": plan.n_heads, "n_positions": 16}
    ends = {"bos_token_id": 0, "eos_token_id": None, "tie_word_embeddings": False}
    return GPT2LMHeadModel(GPT2Config(vocab_size=plan.vocab_size, **sizes, **ends)).double()


def _llama(plan: Plan) -> Any:
    sizes = {"hidden_size": plan.d_model, "num_hidden_layers": plan.n_layers, "num_attention_heads": plan.n_heads}
    more = {"intermediate_size": 2 * plan.d_model, "num_key_value_heads": plan.n_heads, "max_position_embeddings": 16}
    rotary = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e9}}
    ends = {"bos_token_id": 0, "eos_token_id": None, "tie_word_embeddings": False}
    return LlamaForCausalLM(LlamaConfig(vocab_size=plan.vocab_size, **sizes, **more, **rotary, **ends)).double()


def _attention(plan: Plan, layer: int) -> tuple[Array, Array, Array, Array]:
    """q, k, v ``[n_heads * head_dim, d_model]`` and the output projection ``[d_model, n_heads * head_dim]``."""
    rng, inert = np.random.default_rng([plan.seed, 3, layer]), plan.directions["inert"]
    shape = (plan.n_heads, plan.head_dim, plan.n_inert)
    q, k, v = (rng.normal(size=shape) @ inert.T / np.sqrt(plan.n_inert) for _ in range(3))
    out = plan.inert_scale * rng.normal(size=shape) @ inert.T / np.sqrt(plan.head_dim)
    for head, variable in enumerate(VARIABLES):
        if plan.moved_at[variable] == layer:
            _plant_move(plan, variable, (q[head], k[head], v[head], out[head]))
    return (*(part.reshape(-1, plan.d_model) for part in (q, k, v)), out.reshape(-1, plan.d_model).T)


def _plant_move(plan: Plan, variable: str, head: tuple[Array, Array, Array, Array]) -> None:
    """A query attends to the variable's token, and all else to BOS, whose code is 0."""
    (q, k, v, out), parts = head, plan.directions
    q[:], k[:] = 0, 0
    sure = np.sqrt(_SURE * np.sqrt(plan.head_dim)) / plan.gain
    seek, rest = plan.slow
    q[seek], k[seek] = sure * parts["is_q"][:, 0], sure * parts[f"is_{variable}"][:, 0]
    q[rest] = sure / 2 * parts["ballast"][:, 0] / (plan.ballast * np.sqrt(plan.d_model))
    k[rest] = sure * parts["bos"][:, 0]
    v[: plan.k] = parts[f"own_{variable}"].T / plan.gain
    out[: plan.k] = parts[f"moved_{variable}"].T


def _mlp(plan: Plan, layer: int, width: int) -> tuple[Array, Array, Array]:
    """Two projections in ``[width, d_model]`` and one out ``[d_model, width]``."""
    rng, inert = np.random.default_rng([plan.seed, 4, layer]), plan.directions["inert"]
    first, second, back = (rng.normal(size=(width, plan.n_inert)) @ inert.T for _ in range(3))
    return first, second, plan.inert_scale * back.T / np.sqrt(width)


def _gpt2_weights(plan: Plan) -> dict[str, Any]:
    positions = np.random.default_rng([plan.seed, 5]).normal(size=(16, plan.n_inert)) * plan.inert_scale
    weights: dict[str, Any] = {
        "transformer.wte.weight": plan.embeddings(),
        "transformer.wpe.weight": positions @ plan.directions["inert"].T,
        "lm_head.weight": plan.unembedding(),
    }
    for layer in range(plan.n_layers):
        q, k, v, out = _attention(plan, layer)
        inner, _, back = _mlp(plan, layer, 4 * plan.d_model)
        parts = {"attn.c_attn": np.concatenate([q, k, v]), "attn.c_proj": out, "mlp.c_fc": inner, "mlp.c_proj": back}
        weights |= {f"transformer.h.{layer}.{name}.weight": part.T for name, part in parts.items()}
        weights |= {f"transformer.h.{layer}.{name}.bias": 0.0 for name in parts}
    return weights


def _llama_weights(plan: Plan) -> dict[str, Any]:
    weights: dict[str, Any] = {"model.embed_tokens.weight": plan.embeddings(), "lm_head.weight": plan.unembedding()}
    for layer in range(plan.n_layers):
        q, k, v, out = _attention(plan, layer)
        gate, up, down = _mlp(plan, layer, 2 * plan.d_model)
        attn = dict(zip(("q_proj", "k_proj", "v_proj", "o_proj"), (q, k, v, out), strict=True))
        mlp = {"gate_proj": gate, "up_proj": up, "down_proj": down}
        weights |= {f"model.layers.{layer}.self_attn.{name}.weight": part for name, part in attn.items()}
        weights |= {f"model.layers.{layer}.mlp.{name}.weight": part for name, part in mlp.items()}
    return weights
