"""A random TransformerLens model and the files that it is published as, made without TransformerLens."""

from __future__ import annotations

import json
import pickle  # noqa: TID251  the files under test are pickles
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mibench.graph.graph import Graph
from mibench.models.interpbench.config import lens_config
from mibench.models.interpbench.inert import Inert
from mibench.models.interpbench.state import weight_shapes

MODULE = "transformer_lens.HookedTransformerConfig"
CONFIG, WEIGHTS, GRAPH = "ll_model_cfg.pkl", "ioi_all_splits/ll_model_100_100_80.pth", "interpbench_graph.json"


class HookedTransformerConfig:
    """Stand-in for the class that the published pickle names."""


HookedTransformerConfig.__module__ = MODULE


def lens_fields(**changes: Any) -> dict[str, Any]:
    """Fields as GPT-2's own configuration leaves them in a smaller model; ``changes`` go on top."""
    fields = {
        "n_layers": 6, "d_model": 64, "n_ctx": 32, "d_head": 16, "model_name": "gpt2", "n_heads": 4, "d_mlp": 48,
        "act_fn": "gelu_new", "d_vocab": 37, "eps": 1e-5, "use_attn_result": False, "use_attn_scale": True,
        "attn_scale": np.float64(8.0), "use_split_qkv_input": False, "use_hook_mlp_in": False,
        "use_local_attn": False, "original_architecture": "GPT2LMHeadModel", "from_checkpoint": False,
        "checkpoint_index": None, "tokenizer_name": "gpt2", "window_size": None, "attn_types": None,
        "init_mode": "gpt2", "normalization_type": "LNPre", "device": torch.device("cpu"), "n_devices": 1,
        "attention_dir": "causal", "attn_only": False, "seed": None, "initializer_range": 0.8 / np.sqrt(768),
        "init_weights": True, "scale_attn_by_inverse_layer_idx": False, "positional_embedding_type": "standard",
        "final_rms": False, "d_vocab_out": 37, "parallel_attn_mlp": False, "rotary_dim": None, "n_params": 84934656,
        "gated_mlp": False, "default_prepend_bos": True, "dtype": torch.float32, "n_key_value_heads": None,
        "post_embedding_ln": False, "attn_scores_soft_cap": -1.0, "output_logits_soft_cap": -1.0,
    }  # fmt: skip
    return fields | changes


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields as the reader returns them."""
    stands_for = {torch.dtype: lambda value: Inert(str(value).replace(".", " ")), torch.device: lambda _: "cpu"}
    return {name: stands_for.get(type(value), lambda same: same)(value) for name, value in fields.items()} | {
        name: float(fields[name]) for name in ("attn_scale", "initializer_range") if name in fields
    }


@contextmanager
def _importable() -> Iterator[None]:
    module = types.ModuleType(MODULE)
    module.HookedTransformerConfig = HookedTransformerConfig  # type: ignore[attr-defined]
    added = {"transformer_lens": types.ModuleType("transformer_lens"), MODULE: module}
    sys.modules.update(added)
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


def pickled_config(fields: dict[str, Any], protocol: int = 4, *, as_dict: bool = False) -> bytes:
    """The bytes of ``pickle.dumps(HookedTransformerConfig(...))``, or of its ``to_dict()``."""
    made = HookedTransformerConfig()
    made.__dict__.update(fields)
    with _importable():
        return pickle.dumps(fields if as_dict else made, protocol)


def lens_weights(fields: dict[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """A random state dict with TransformerLens's buffers; nothing in it is zero."""
    config = lens_config(plain(fields))
    generator = torch.Generator().manual_seed(seed)
    state = {name: torch.randn(shape, generator=generator) for name, shape in weight_shapes(config).items()}
    for name, noise in state.items():
        if noise.ndim == 1:
            state[name] = float(name.endswith(".w")) + 0.3 * noise
        elif "embed.W_" not in name or "unembed" in name:
            state[name] = noise * 1.5 / config.d_model**0.5
    for layer in range(config.n_layers):
        state[f"blocks.{layer}.attn.mask"] = torch.ones((config.n_ctx, config.n_ctx), dtype=torch.bool).tril()
        state[f"blocks.{layer}.attn.IGNORE"] = torch.tensor(-torch.inf)
    return state


def lens_graph(true: set[str]) -> dict[str, Any]:
    """MIB's JSON of a 6 x 4 graph in which the edges ``true`` are in the circuit."""
    graph = Graph(6, 4)
    nodes = [*graph.source_names, "logits"]
    return {
        "cfg": {"n_layers": 6, "n_heads": 4, "parallel_attn_mlp": False, "d_model": 64},
        "nodes": {name: {"in_graph": True} for name in nodes},
        "edges": {name: {"score": 0.0, "in_graph": name in true} for name in graph.edge_names()},
    }


TRUE_EDGES = {"input->m0", "m0->a1.h1<q>", "a1.h1->a2.h1<v>", "a2.h1->a4.h1<k>", "a4.h1->logits"}


def lens_folder(folder: Path, **changes: Any) -> Path:
    """A folder laid out as the hub repository; ``changes`` go into the configuration."""
    fields = lens_fields(**changes)
    (folder / WEIGHTS).parent.mkdir(parents=True)
    (folder / CONFIG).write_bytes(pickled_config(fields))
    torch.save(lens_weights(fields), folder / WEIGHTS)
    (folder / GRAPH).write_text(json.dumps(lens_graph(TRUE_EDGES)))
    return folder
