"""A TransformerLens model as a GPT-2 of transformers with the same logits, checked against a float64 forward pass.

Two things of TransformerLens have no field in GPT-2, and are folded into its weights without changing a logit:

- A divisor of the attention scores other than the square root of a head's width goes into the queries. (A model
  that was made from another's configuration keeps the other's divisor.)
- The bias of the unembedding. The normalised residual stream x has mean 0, so the direction of ones is free in
  ``ln_final``: with a bias of ones there, x + 1, and rows W' of the head that read the mean of their input as 1,
  W'(x + 1) = W x + b, where W' = W - mean(W) + b / d_model.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from mibench.core.errors import ModelError
from mibench.core.files import atomic_write
from mibench.models.digest import CONFIG_FILE
from mibench.models.interpbench.config import LensConfig
from mibench.models.interpbench.forward import lens_logits
from mibench.models.interpbench.state import Weights
from mibench.models.quiet import quiet_transformers

TOLERANCE = 1e-5
"""Greatest error of a logit, as a share of the greatest logit where that is above 1."""
_CHECKED_PROMPTS = 2
_CHECKED_TOKENS = 24
_END_OF_TEXT = 50256
"""GPT-2's token before and after a text; smaller vocabularies have none."""


def write_gpt2(config: LensConfig, weights: Weights, folder: Path) -> None:
    """Write configuration and weights in transformers format to ``folder``, and check them.

    Args:
        config: Sizes of the model.
        weights: Its weights, by their names in TransformerLens.
        folder: An empty folder.

    Raises:
        ModelError: The written model gives other logits.
        StoreError: The folder cannot be written.
    """
    from safetensors.numpy import save_file

    target = folder / "model.safetensors"
    save_file(gpt2_weights(config, weights), target, metadata={"format": "pt"})
    target.chmod(0o644)
    atomic_write(folder / CONFIG_FILE, json.dumps(gpt2_config(config), indent=2, sort_keys=True) + "\n")
    check_logits(config, weights, folder)


def gpt2_config(config: LensConfig) -> dict[str, Any]:
    """Return ``config.json`` of the GPT-2."""
    end = _END_OF_TEXT if config.d_vocab > _END_OF_TEXT else None
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "vocab_size": config.d_vocab,
        "n_positions": config.n_ctx,
        "n_embd": config.d_model,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_inner": config.d_mlp,
        "activation_function": config.act_fn,
        "layer_norm_epsilon": config.eps,
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": config.scale_by_layer,
        "tie_word_embeddings": False,
        "bos_token_id": end,
        "eos_token_id": end,
        **dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), 0.0),
    }


def gpt2_weights(config: LensConfig, weights: Weights) -> Weights:
    """Return the weights of the GPT-2 by their names in transformers."""
    found: Weights = {
        "transformer.wte.weight": weights["embed.W_E"],
        "transformer.wpe.weight": weights["pos_embed.W_pos"],
    }
    for layer in range(config.n_layers):
        prefix = f"blocks.{layer}."
        block = {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}
        found |= {f"transformer.h.{layer}.{name}": value for name, value in _block(config, block).items()}
    return {name: np.ascontiguousarray(value) for name, value in (found | _head(config, weights)).items()}


def check_logits(config: LensConfig, weights: Weights, folder: Path) -> None:
    """Check that the model in ``folder`` gives the logits of the TransformerLens weights, in float64.

    Raises:
        ModelError: A logit differs by more than ``TOLERANCE``.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with quiet_transformers():
        source = {"local_files_only": True, "use_safetensors": True}
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64, **source).eval()
    generator = np.random.default_rng(0)
    size = (_CHECKED_PROMPTS, min(config.n_ctx, _CHECKED_TOKENS))
    for ids in generator.integers(0, config.d_vocab, size=size, dtype=np.int64):
        expected = lens_logits(config, weights, ids)
        with torch.no_grad():
            logits = model(torch.from_numpy(ids)[None], use_cache=False).logits[0].numpy()
        error = float(np.abs(logits - expected).max()) / max(1.0, float(np.abs(expected).max()))
        # Written so that NaN fails too.
        if not error <= TOLERANCE:
            raise ModelError(
                "The converted model differs from the TransformerLens model.",
                why=f"A logit is off by {error:.1e} of the greatest one; {TOLERANCE:.0e} is allowed.",
                do="Install transformers and torch in the versions of constraints.txt, and report the model.",
            )


def _block(config: LensConfig, block: Weights) -> Weights:
    """Weights of one block; GPT-2's projections are stored ``[in, out]``, its heads side by side."""
    width = config.d_model
    to_default = math.sqrt(config.d_head) / config.attn_scale
    scaled = {name: (block[name] * to_default).astype(np.float32) for name in ("attn.W_Q", "attn.b_Q")}
    own = block | scaled
    side_by_side = [own[f"attn.W_{slot}"].transpose(1, 0, 2).reshape(width, width) for slot in "QKV"]
    return {
        **_norm(config, block, "ln1", "ln_1"),
        **_norm(config, block, "ln2", "ln_2"),
        "attn.c_attn.weight": np.concatenate(side_by_side, axis=1),
        "attn.c_attn.bias": np.concatenate([own[f"attn.b_{slot}"].reshape(width) for slot in "QKV"]),
        "attn.c_proj.weight": block["attn.W_O"].reshape(width, width),
        "attn.c_proj.bias": block["attn.b_O"],
        "mlp.c_fc.weight": block["mlp.W_in"],
        "mlp.c_fc.bias": block["mlp.b_in"],
        "mlp.c_proj.weight": block["mlp.W_out"],
        "mlp.c_proj.bias": block["mlp.b_out"],
    }


def _norm(config: LensConfig, weights: Weights, name: str, target: str) -> Weights:
    one, zero = np.ones(config.d_model, dtype=np.float32), np.zeros(config.d_model, dtype=np.float32)
    if config.folded_norm:
        return {f"{target}.weight": one, f"{target}.bias": zero}
    return {f"{target}.weight": weights[f"{name}.w"], f"{target}.bias": weights[f"{name}.b"]}


def _head(config: LensConfig, weights: Weights) -> Weights:
    norm = _norm(config, weights, "ln_final", "transformer.ln_f")
    head = weights["unembed.W_U"].T
    if not weights["unembed.b_U"].any():
        return norm | {"lm_head.weight": head}
    rows = head.astype(np.float64)
    bias = weights["unembed.b_U"] + rows @ norm["transformer.ln_f.bias"]
    rows = rows * norm["transformer.ln_f.weight"]
    rows += (bias / config.d_model - rows.mean(axis=1))[:, None]
    one = np.ones(config.d_model, dtype=np.float32)
    plain = {"transformer.ln_f.weight": one, "transformer.ln_f.bias": one}
    return plain | {"lm_head.weight": rows.astype(np.float32)}
