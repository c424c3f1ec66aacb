"""A loaded model taken apart: its blocks, projections and norms under common names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from mibench.core.errors import ModelError
from mibench.core.names import did_you_mean
from mibench.graph.graph import Graph
from mibench.models.families import FAMILIES
from mibench.models.layout import Layout
from mibench.models.placement import present


@dataclass(frozen=True)
class Norm:
    """A norm's numbers: ``scale`` and ``shift`` ``[d_model]``, ``eps``, and whether it subtracts the mean."""

    scale: Tensor
    shift: Tensor | None
    eps: float
    centred: bool


@dataclass(frozen=True)
class Projection:
    """One of q, k, v: ``weight`` ``[heads, head_dim, d_model]`` and ``bias`` ``[heads, head_dim]`` or None."""

    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class Block:
    """The modules of one block; see ``Layout`` for what each is."""

    norm1: nn.Module
    attn: nn.Module
    out: nn.Module
    norm2: nn.Module
    mlp: nn.Module
    mlp_end: nn.Module
    activation: nn.Module | None
    gated: tuple[nn.Module, ...]
    post_attn: nn.Module | None


class Anatomy:
    """Common names for the parts of a causal language model of a known family.

    Attributes:
        model: The transformers model, untouched.
        layout: Where its family keeps its parts.
        n_layers, n_heads, n_kv_heads, head_dim, d_model: Sizes.
        parallel: Attention and MLP of a block read the same stream.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.config = model.config
        self.layout = layout_of(model)
        self.parallel = self.layout.parallel(self.config)
        self.n_layers = int(self.config.num_hidden_layers)
        self.n_heads = int(self.config.num_attention_heads)
        self.n_kv_heads = int(getattr(self.config, "num_key_value_heads", None) or self.n_heads)
        self.d_model = int(self.config.hidden_size)
        self.head_dim = int(getattr(self.config, "head_dim", None) or self.d_model // self.n_heads)

    @property
    def kv_group(self) -> int:
        """Query heads that share one key-value head."""
        return self.n_heads // self.n_kv_heads

    @cached_property
    def graph(self) -> Graph:
        """The computation graph."""
        return Graph(self.n_layers, self.n_heads, self.parallel)

    @cached_property
    def blocks(self) -> list[Block]:
        """The blocks, in order."""
        try:
            return [self._block(block) for block in self.model.get_submodule(self.layout.blocks)]
        except AttributeError as error:
            raise ModelError(
                f"The modules of this {type(self.model).__name__} are not where its family file says.",
                why=f"{error}.",
                do="Use the transformers version of constraints.txt, or correct the family file.",
            ) from error

    def _block(self, block: nn.Module) -> Block:
        layout = self.layout
        attn, mlp = block.get_submodule(layout.attn), block.get_submodule(layout.mlp)
        return Block(
            norm1=block.get_submodule(layout.norm1),
            attn=attn,
            out=attn.get_submodule(layout.out),
            norm2=block.get_submodule(layout.norm2),
            mlp=mlp,
            mlp_end=block.get_submodule(layout.mlp_end),
            activation=mlp.get_submodule(layout.activation) if layout.activation else None,
            gated=tuple(mlp.get_submodule(name) for name in layout.gated),
            post_attn=block.get_submodule(layout.post_attn) if layout.post_attn else None,
        )

    @cached_property
    def final_norm(self) -> nn.Module:
        """The norm before the head."""
        module: nn.Module = self.model.get_submodule(self.layout.final_norm)
        return module

    @property
    def norms(self) -> list[nn.Module]:
        """Every norm, in no particular order."""
        ends = [block.mlp_end for block in self.blocks if block.mlp_end is not block.mlp]
        after = [block.post_attn for block in self.blocks if block.post_attn is not None]
        before = [norm for block in self.blocks for norm in (block.norm1, block.norm2)]
        return [*before, *after, *ends, self.final_norm]

    def embed(self, ids: Tensor) -> Tensor:
        """Token embeddings ``[batch, pos, d_model]`` of ``ids`` ``[batch, pos]``: the ``input`` node."""
        embedded: Tensor = self.model.get_submodule(self.layout.embed)(ids)
        return embedded

    def run_mlp(self, layer: int, stream: Tensor) -> Tensor:
        """What the MLP of a layer adds to a residual stream ``[..., d_model]`` that it reads."""
        block = self.blocks[layer]
        output: Tensor = block.mlp(block.norm2(stream))
        return output if block.mlp_end is block.mlp else block.mlp_end(output)

    def positions(self, start: int, stop: int) -> Tensor | float:
        """Learned position embeddings ``[1, pos, d_model]`` of positions start to stop, or 0 where there are none."""
        if self.layout.positions is None:
            return 0.0
        module = self.model.get_submodule(self.layout.positions)
        with present(module):
            piece: Tensor = module.weight.detach()[None, start:stop]
        return piece

    def logits(self, normed: Tensor) -> Tensor:
        """Logits ``[..., vocab]`` of final-norm outputs ``[..., d_model]``, soft-capped where the model does so."""
        logits: Tensor = self.model.get_output_embeddings()(normed)
        cap = getattr(self.config, "final_logit_softcapping", None)
        return logits if cap is None else torch.tanh(logits / cap) * cap

    def norm(self, module: Any) -> Norm:
        """The numbers of a norm module."""
        eps = getattr(module, "eps", None) or getattr(module, "variance_epsilon", None)
        with present(module):
            bias = getattr(module, "bias", None)
            scale, shift = module.weight.detach(), None if bias is None else bias.detach()
        if self.layout.norm_offset:
            # As the module itself adds it: 1 + w has fewer digits left in 16 bits.
            scale = scale.to(torch.promote_types(scale.dtype, torch.float32)) + self.layout.norm_offset
        return Norm(scale, shift, float(eps or 0.0), self.layout.norm == "layer")

    def projections(self, layer: int) -> tuple[Projection, Projection, Projection]:
        """The q, k and v projections of a layer; k and v have ``n_kv_heads`` heads."""
        attn = self.blocks[layer].attn
        if self.layout.fused is None:
            q, k, v = (self._one(attn.get_submodule(name)) for name in self.layout.qkv)
            return q, k, v
        return self._fused(attn.get_submodule(self.layout.qkv[0]))

    def _one(self, module: nn.Module) -> Projection:
        weight, bias = self._rows(module)
        return Projection(
            weight.view(-1, self.head_dim, self.d_model),
            None if bias is None else bias.view(-1, self.head_dim),
        )

    def _fused(self, module: nn.Module) -> tuple[Projection, Projection, Projection]:
        weight, bias = self._rows(module)
        blocked = self.layout.fused == "blocked"
        shape = (3, self.n_heads, self.head_dim) if blocked else (self.n_heads, 3, self.head_dim)
        weights = weight.reshape(*shape, self.d_model).unbind(0 if blocked else 1)
        biases = [None] * 3 if bias is None else bias.reshape(*shape).unbind(0 if blocked else 1)
        q, k, v = (Projection(w, b) for w, b in zip(weights, biases, strict=True))
        return q, k, v

    def _rows(self, module: Any) -> tuple[Tensor, Tensor | None]:
        with present(module):
            weight = module.weight.detach()
            bias = None if module.bias is None else module.bias.detach()
        return (weight.T if self.layout.transposed else weight), bias

    def out_weight(self, layer: int) -> Tensor:
        """Output projection of a layer's heads, ``[n_heads, head_dim, d_model]``."""
        weight, _ = self._rows(self.blocks[layer].out)
        return weight.T.reshape(self.n_heads, self.head_dim, self.d_model)

    def out_bias(self, layer: int) -> Tensor | float:
        """Bias of the output projection, ``[d_model]`` or 0; it is in no node."""
        _, bias = self._rows(self.blocks[layer].out)
        return 0.0 if bias is None else bias


def layout_of(model: Any) -> Layout:
    """Return the layout of a model's family.

    Raises:
        ModelError: The architecture is unknown, or uses a feature that its family's adapter does not handle.
    """
    architecture = type(model).__name__
    by_name = {name: part for part in FAMILIES.components.values() for name in part.metadata["architectures"]}
    if architecture not in by_name:
        raise ModelError(
            f"mibench has no adapter for {architecture}.",
            why="Its module layout is not among the families in mibench/models/families.",
            do=did_you_mean(architecture, by_name) + " Or add a family file for it.",
        )
    layout: Layout = by_name[architecture].load()()
    feature = layout.unsupported(model.config)
    if feature:
        raise ModelError(
            f"This {architecture} uses {feature}.",
            why=f"The {by_name[architecture].name} adapter does not handle it.",
            do="Use a model without it, or extend the family file.",
        )
    return layout
