"""The weights of a TransformerLens model from a ``.pth`` file: tensors only, of the shapes that they must have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import ArtifactError, ModelError
from mibench.core.files import existing_file
from mibench.core.torch_archive.limits import Limits
from mibench.core.torch_archive.read import read_torch
from mibench.core.torch_archive.tensors import Tensor
from mibench.models.interpbench.config import LensConfig

MAX_BYTES = 512 * 1024 * 1024
_NO_ATTENTION = -1e5
"""Older releases mask with this; newer ones with minus infinity."""

Weights = dict[str, NDArray[np.float32]]


def read_weights(path: Path | str, config: LensConfig) -> Weights:
    """Return the weights of a model by their names in TransformerLens.

    Args:
        path: A file of ``torch.save(model.state_dict(), path)``.
        config: Sizes of the model.

    Raises:
        UsageError: There is no such file.
        ModelError: It is too large or damaged, holds anything else than tensors, lacks one, or holds one more.
    """
    found = existing_file(path)
    state = _load(found)
    buffers = {name for name in state if name.endswith((".attn.mask", ".attn.IGNORE"))}
    for name in sorted(buffers):
        _check_buffer(name, state[name], config)
    shapes = weight_shapes(config)
    wrong = sorted((shapes.keys() ^ state.keys()) - buffers)
    if wrong:
        verb = "is missing" if wrong[0] in shapes else "is not one of its tensors"
        raise _unusable(found.name, f"{wrong[0][:80]} {verb} ({len(wrong)} such).")
    return {name: _array(found.name, name, state[name], shape) for name, shape in shapes.items()}


def weight_shapes(config: LensConfig) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of all weights."""
    heads, width, d_head, d_mlp = config.n_heads, config.d_model, config.d_head, config.d_mlp
    block: dict[str, tuple[int, ...]] = {
        **{f"attn.W_{slot}": (heads, width, d_head) for slot in "QKV"},
        **{f"attn.b_{slot}": (heads, d_head) for slot in "QKV"},
        "attn.W_O": (heads, d_head, width),
        "attn.b_O": (width,),
        "mlp.W_in": (width, d_mlp),
        "mlp.b_in": (d_mlp,),
        "mlp.W_out": (d_mlp, width),
        "mlp.b_out": (width,),
    }
    norms: dict[str, tuple[int, ...]] = {}
    if not config.folded_norm:
        block |= {f"{norm}.{part}": (width,) for norm in ("ln1", "ln2") for part in "wb"}
        norms = {f"ln_final.{part}": (width,) for part in "wb"}
    return {
        "embed.W_E": (config.d_vocab, width),
        "pos_embed.W_pos": (config.n_ctx, width),
        **{f"blocks.{layer}.{name}": shape for layer in range(config.n_layers) for name, shape in block.items()},
        **norms,
        "unembed.W_U": (width, config.d_vocab),
        "unembed.b_U": (config.d_vocab,),
    }


def _load(path: Path) -> dict[str, Tensor]:
    try:
        state = read_torch(path, Limits(file_bytes=MAX_BYTES))
    except ArtifactError as error:
        raise _unusable(path.name, error.why) from error
    plain = isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    )
    if not plain:
        raise _unusable(path.name, "It is no dict of dense tensors by name.")
    return dict(state)


def _array(file: str, name: str, tensor: Tensor, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if tensor.shape != shape:
        raise _unusable(file, f"{name} has the shape {tensor.shape}; {shape} is wanted.")
    if tensor.dtype != "float32":
        raise _unusable(file, f"{name} is of {tensor.dtype}; float32 is wanted.")
    array: NDArray[np.float32] = np.array(_numbers(file, tensor), order="C")
    if not np.isfinite(array).all():
        raise _unusable(file, f"{name} holds NaN or infinite numbers.")
    return array


def _numbers(file: str, tensor: Tensor) -> NDArray[Any]:
    try:
        return tensor.array()
    except ArtifactError as error:
        raise _unusable(file, error.why) from error


def _check_buffer(name: str, tensor: Tensor, config: LensConfig) -> None:
    """Refuse attention that is not causal: TransformerLens would take the mask from the file."""
    if name.endswith(".IGNORE"):
        plain = tensor.size == 1 and tensor.dtype in ("float16", "bfloat16", "float32", "float64")
        causal = plain and float(_numbers(name[:80], tensor).reshape(-1)[0]) <= _NO_ATTENTION
    else:
        wanted = (config.n_ctx, config.n_ctx)
        causal = tensor.shape == wanted and tensor.dtype == "bool"
        causal = causal and np.array_equal(_numbers(name[:80], tensor), np.tri(config.n_ctx, dtype=np.bool_))
    if not causal:
        raise _unusable(name[:80], "It is not the causal mask that GPT-2 has.")


def _unusable(name: str, why: str) -> ModelError:
    return ModelError(
        f"The weights in {name} cannot be used.",
        why=why,
        do="Take the file from the hub again; it must hold the state dict of a HookedTransformer.",
    )
