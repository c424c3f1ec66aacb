"""How large a model is, and what its graph looks like, before any weight is loaded."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from mibench.core.errors import MibenchError
from mibench.core.files import is_folder
from mibench.graph.graph import Graph
from mibench.models.cache import converted_folder
from mibench.models.catalogue import CATALOGUE, LOCAL, ModelSpec
from mibench.models.digest import CONFIG_FILE, weight_files
from mibench.models.families import FAMILIES
from mibench.models.known import known_folder, known_models
from mibench.models.layout import Layout
from mibench.models.quiet import quiet_transformers

ITEM_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of a number, by dtype."""
_MAX_HEADER_BYTES = 100 * 1024 * 1024
_GUESSED_VOCABULARY = 128_000
"""Of a catalogue model whose configuration is not here; only logits depend on it."""


@dataclass(frozen=True)
class Footprint:
    """Sizes of a model.

    Attributes:
        n_params: Number of parameters; tied ones count once.
        n_layers, n_heads, n_kv_heads, head_dim, d_model, d_mlp, vocab: Its shapes.
        parallel: Attention and MLP of a block read the same stream.
        post_norm: A norm stands between attention and stream (Gemma 2).
        eager: Attention keeps its patterns.
        exact: Read from the model's own files; else what the catalogue says of it, the rest guessed.
    """

    n_params: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    d_model: int
    d_mlp: int
    vocab: int
    parallel: bool = False
    post_norm: bool = False
    eager: bool = False
    exact: bool = True

    @cached_property
    def graph(self) -> Graph:
        """Its computation graph: nodes and edges."""
        return Graph(self.n_layers, self.n_heads, self.parallel)

    @property
    def n_nodes(self) -> int:
        """Nodes of its graph: input, heads, MLPs."""
        return self.graph.n_sources

    @property
    def n_edges(self) -> int:
        """Edges of its graph."""
        return self.graph.n_edges

    def weight_bytes(self, dtype: str) -> int:
        """Bytes of its weights in a dtype."""
        return self.n_params * ITEM_BYTES[dtype]

    def folded_bytes(self, dtype: str) -> int:
        """Bytes of what the engine makes of the weights besides: q, k and v with the norm folded in, by head.

        They have the type of sums; output projections are copied only where that is another one.
        """
        sums = accumulate_bytes(dtype)
        rows = self.n_heads + 2 * self.n_kv_heads + (self.n_heads if sums > ITEM_BYTES[dtype] else 0)
        return self.n_layers * rows * self.head_dim * self.d_model * sums


def accumulate_bytes(dtype: str) -> int:
    """Bytes of a number in the type in which the engine sums: at least float32."""
    return max(4, ITEM_BYTES[dtype])


@cache
def footprint(ref: str) -> Footprint | None:
    """Sizes of a model by its reference, from files that are here; nothing is fetched, no weight is read.

    Args:
        ref: A catalogue name, a known model's, a folder, ``hub/id@revision``, or a name as records write it.

    Returns:
        Its sizes; None where its configuration is not here, or is not one of a supported family.
    """
    spec = CATALOGUE.get(ref)
    try:
        folder = _folder(ref, spec)
        found = None if folder is None else _of_folder(folder)
    except (MibenchError, OSError, ValueError):  # loading the model will say what is wrong
        found = None
    return _of_spec(spec) if found is None and spec is not None else found


def _folder(ref: str, spec: ModelSpec | None) -> Path | None:
    """Where the configuration of a model lies, if it is here."""
    if spec is not None:
        return converted_folder(spec) if spec.is_converted else _cached(spec.hub_id, spec.revision)
    if ref in known_models():
        return known_folder(ref)
    path = os.path.expanduser(ref)  # noqa: PTH111  Path.expanduser fails on the home of nobody
    if is_folder(path):
        return Path(path)
    hub_id, at, revision = ref.partition("@")
    return _cached(hub_id, revision) if at and not ref.startswith(LOCAL) else None


def _cached(hub_id: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(hub_id, CONFIG_FILE, revision=revision)
    return Path(found).parent if isinstance(found, str) else None


def _of_folder(folder: Path) -> Footprint | None:
    from transformers import AutoConfig

    if not (folder / CONFIG_FILE).is_file():
        return None
    with quiet_transformers():
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    layout = _layout(config)
    if layout is None:
        return None
    return _of_config(config, layout, _stored_params(folder) or _meta_params(config))


def _of_config(config: Any, layout: Layout, n_params: int) -> Footprint:
    heads, width = int(config.num_attention_heads), int(config.hidden_size)
    inner = getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * width
    return Footprint(
        n_params=n_params,
        n_layers=int(config.num_hidden_layers),
        n_heads=heads,
        n_kv_heads=int(getattr(config, "num_key_value_heads", None) or heads),
        head_dim=int(getattr(config, "head_dim", None) or width // heads),
        d_model=width,
        d_mlp=int(inner),
        vocab=int(config.vocab_size),
        parallel=bool(layout.parallel(config)),
        post_norm=layout.post_attn is not None,
        eager=getattr(config, "attn_logit_softcapping", None) is not None,
    )


def _of_spec(spec: ModelSpec) -> Footprint:
    """What the catalogue says; of MLP and vocabulary it says nothing."""
    layout: Layout = FAMILIES.load(spec.family)()
    return Footprint(
        n_params=spec.n_params,
        n_layers=spec.n_layers,
        n_heads=spec.n_heads,
        n_kv_heads=spec.n_kv_heads,
        head_dim=spec.d_model // spec.n_heads,
        d_model=spec.d_model,
        d_mlp=4 * spec.d_model,
        vocab=_GUESSED_VOCABULARY,
        parallel=spec.family == "gpt-neox",
        post_norm=layout.post_attn is not None,
        eager=spec.attention == "eager",
        exact=False,
    )


def _layout(config: Any) -> Layout | None:
    names = getattr(config, "architectures", None) or ()
    for part in FAMILIES.components.values():
        if any(name in part.metadata["architectures"] for name in names):
            found: Layout = part.load()()
            return found
    return None


def _stored_params(folder: Path) -> int:
    """Numbers in the weight files, by their headers; 0 where there are none."""
    try:
        files = weight_files(folder)
    except MibenchError:
        return 0
    return sum(_numbers(header) for header in map(_header, files))


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        (size,) = struct.unpack("<Q", stream.read(8).ljust(8, b"\0"))
        if not 0 < size <= _MAX_HEADER_BYTES:
            raise ValueError(f"{path} has no header")
        found = json.loads(stream.read(size))
    if not isinstance(found, dict):
        raise ValueError(f"{path} has no header")
    return found


def _numbers(header: dict[str, Any]) -> int:
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__" and isinstance(tensor, dict):
            count = 1
            for length in tensor.get("shape", ()):
                count *= int(length)
            total += count
    return total


def _meta_params(config: Any) -> int:
    """Parameters of the model that a configuration describes, made without memory."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"), quiet_transformers():
        model = AutoModelForCausalLM.from_config(config)
    return sum(part.numel() for part in model.parameters())
