"""Attention of chosen heads from given q, k and v, through the model's own attention code.

The attention module is copied shallowly and its projections are replaced by stubs that return preset tensors, so
that rotary embedding, scaling, soft caps, windows and masks are exactly the model's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from mibench.models.anatomy import Anatomy


@dataclass(frozen=True)
class Context:
    """What a block hands to its attention besides the stream: mask and rotary angles, as the model made them."""

    mask: Tensor | None
    rotary: tuple[Tensor, Tensor] | None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for the attention module."""
        rotary = {} if self.rotary is None else {"position_embeddings": self.rotary}
        return {"attention_mask": self.mask, **rotary}


@dataclass(frozen=True)
class Prefix:
    """Keys and values of the positions that all runs share, one a layer, ``[batch, n_kv_heads, pos, head_dim]``."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]

    def cache(self, repeat: int) -> DynamicCache:
        """A fresh cache that begins with this prefix, each key-value head ``repeat`` times."""
        cache = DynamicCache()
        for layer, (key, value) in enumerate(zip(self.keys, self.values, strict=True)):
            cache.update(key.repeat_interleave(repeat, 1), value.repeat_interleave(repeat, 1), layer)
        return cache


class _Feed:
    """The one method of a cache that attention calls: put the prefix before the new keys and values."""

    def __init__(self, key: Tensor, value: Tensor) -> None:
        self.key, self.value = key, value

    def update(self, key: Tensor, value: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        return torch.cat([self.key, key], dim=-2), torch.cat([self.value, value], dim=-2)


class _Preset(nn.Module):
    """A projection that returns what it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.output = torch.empty(0)

    def forward(self, _: Tensor) -> Tensor:
        return self.output


class AttentionCore:
    """The attention of one layer without its projections.

    Args:
        anatomy: The model's parts.
        layer: Which layer.
    """

    def __init__(self, anatomy: Anatomy, layer: int) -> None:
        layout = anatomy.layout
        self._fused, self._cache, self._group = layout.fused, layout.cache, anatomy.kv_group
        attn = anatomy.blocks[layer].attn
        self._core = unhooked(attn)
        self._presets = [_Preset() for _ in layout.qkv]
        for name, preset in zip(layout.qkv, self._presets, strict=True):
            setattr(self._core, name, preset)
        setattr(self._core, layout.out, nn.Identity())
        cast("Any", self._core).num_key_value_groups = 1

    def __call__(
        self,
        qkv: tuple[Tensor, Tensor, Tensor],
        heads: Tensor,
        context: Context,
        prefix: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        """Attend.

        Args:
            qkv: Queries, keys, values before rotary embedding, ``[batch, pos, heads, head_dim]`` each.
            heads: Which query heads they are, ``[heads]``.
            context: Mask and rotary angles of these positions.
            prefix: Keys and values of earlier positions, ``[batch, n_kv_heads, earlier, head_dim]``, or None.

        Returns:
            The heads' outputs before the output projection, ``[batch, pos, heads, head_dim]``.
        """
        self._set(qkv)
        arguments = context.arguments()
        if prefix is not None:
            key, value = (part[:, heads // self._group] for part in prefix)
            arguments[self._cache] = _Feed(key, value)
        return cast("Tensor", self._core(qkv[0].flatten(2), **arguments)[0]).view_as(qkv[0])

    def _set(self, qkv: tuple[Tensor, Tensor, Tensor]) -> None:
        if self._fused is None:
            for preset, part in zip(self._presets, qkv, strict=True):
                preset.output = part.flatten(2)
        else:
            axis = 2 if self._fused == "blocked" else 3
            self._presets[0].output = torch.stack(qkv, dim=axis).flatten(2)
            cast("Any", self._core).split_size = qkv[0].shape[2] * qkv[0].shape[3]


def unhooked(attn: nn.Module) -> nn.Module:
    """A shallow copy of a module, without hooks of torch and accelerate, whose parts can be exchanged."""
    core = copy.copy(attn)
    core._modules = dict(attn._modules)  # noqa: SLF001
    core._forward_hooks = type(attn._forward_hooks)()  # noqa: SLF001
    core._forward_pre_hooks = type(attn._forward_pre_hooks)()  # noqa: SLF001
    if hasattr(core, "_hf_hook"):
        # accelerate's forward is bound to the module that it was put into.
        for name in ("_hf_hook", "_old_forward", "forward"):
            core.__dict__.pop(name, None)
    return core


def split_fused(fused: Tensor, layout_kind: str, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Split ``[batch, pos, 3 · heads · head_dim]`` into q, k and v, ``[batch, pos, heads, head_dim]`` each."""
    blocked = layout_kind == "blocked"
    shape = (3, heads, -1) if blocked else (heads, 3, -1)
    q, k, v = fused.view(*fused.shape[:2], *shape).unbind(2 if blocked else 3)
    return q, k, v
