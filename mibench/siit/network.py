"""A small GPT-2 as plain tensor functions: every node's output can be read, and swapped row by row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mibench.graph.graph import Graph

EPSILON = 1e-5
"""Of LayerNorm, as in GPT-2."""


@dataclass(frozen=True)
class Sizes:
    """Shape of a network.

    Attributes:
        n_layers: Blocks.
        n_heads: Heads a block.
        d_model: Width of the residual stream.
        d_inner: Neurons of an MLP.
        n_positions: Tokens of a prompt, at most.
        vocab: Words.
    """

    n_layers: int
    n_heads: int
    d_model: int
    d_inner: int
    n_positions: int
    vocab: int

    @property
    def head_dim(self) -> int:
        """Width of a head."""
        return self.d_model // self.n_heads

    @property
    def graph(self) -> Graph:
        """The computation graph."""
        return Graph(self.n_layers, self.n_heads)

    @property
    def config(self) -> dict[str, Any]:
        """``config.json`` of transformers; embedding and unembedding are not tied."""
        return {
            "model_type": "gpt2",
            "architectures": ["GPT2LMHeadModel"],
            "activation_function": "gelu_new",
            "vocab_size": self.vocab,
            "n_positions": self.n_positions,
            "n_embd": self.d_model,
            "n_layer": self.n_layers,
            "n_head": self.n_heads,
            "n_inner": self.d_inner,
            "layer_norm_epsilon": EPSILON,
            "attn_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "resid_pdrop": 0.0,
            "bos_token_id": 0,
            "eos_token_id": 0,
            "tie_word_embeddings": False,
            "dtype": "float32",
        }

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> Sizes:
        """Read what :attr:`config` wrote."""
        keys = ("n_layer", "n_head", "n_embd", "n_inner", "n_positions", "vocab_size")
        return cls(*(int(config[key]) for key in keys))


@dataclass
class Run:
    """What a forward pass did, by layer where it is a list.

    Attributes:
        embedded: Token embeddings without positions, ``[batch, pos, d_model]``.
        final: Residual stream after the last block that was run, ``[batch, pos, d_model]``.
        before_attn: Residual stream before each block, ``[batch, pos, d_model]``.
        before_mlp: Residual stream before each MLP, ``[batch, pos, d_model]``.
        heads: Head outputs before the output projection, ``[batch, pos, n_heads, head_dim]``.
        mlp: What each MLP adds, ``[batch, pos, d_model]``.
    """

    embedded: Tensor
    final: Tensor
    before_attn: list[Tensor] = field(default_factory=list)
    before_mlp: list[Tensor] = field(default_factory=list)
    heads: list[Tensor] = field(default_factory=list)
    mlp: list[Tensor] = field(default_factory=list)

    def rows(self, rows: Tensor) -> Run:
        """Some rows of it, ``[batch]`` indices, in their order."""
        lists = (self.before_attn, self.before_mlp, self.heads, self.mlp)
        return Run(self.embedded[rows], self.final[rows], *([tensor[rows] for tensor in one] for one in lists))


@dataclass(frozen=True)
class Swap:
    """Outputs of nodes put in place of those that a pass computes.

    Attributes:
        source: The pass that they come from.
        rows: Row of ``source`` for each row of the pass, ``[batch]``.
        nodes: Which nodes are swapped in which row, bool ``[batch, n_layers, n_heads + 1]``; an MLP is the last of
            its layer.
        positions: At which positions, bool ``[batch, pos]``; None: all.
    """

    source: Run
    rows: Tensor
    nodes: Tensor
    positions: Tensor | None = None

    def heads(self, layer: int, found: Tensor) -> Tensor:
        """Head outputs ``[batch, pos, n_heads, head_dim]`` after the swap."""
        chosen = self._at(self.nodes[:, None, layer, :-1])
        return torch.where(chosen[..., None], self.source.heads[layer][self.rows], found)

    def mlp(self, layer: int, found: Tensor) -> Tensor:
        """Outputs of an MLP ``[batch, pos, d_model]`` after the swap."""
        chosen = self._at(self.nodes[:, None, layer, -1:])
        return torch.where(chosen, self.source.mlp[layer][self.rows], found)

    def _at(self, chosen: Tensor) -> Tensor:
        return chosen if self.positions is None else chosen & self.positions[..., None]


class Network:
    """A GPT-2 whose weights have transformers' names.

    Attributes:
        sizes: Its shape.
        weights: By name of transformers' ``GPT2LMHeadModel``.
    """

    def __init__(self, sizes: Sizes, weights: dict[str, Tensor]) -> None:
        self.sizes, self.weights = sizes, weights

    @classmethod
    def fresh(cls, sizes: Sizes, seed: int) -> Network:
        """Draw initial weights."""
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for name, shape in shapes(sizes).items():
            tensor = torch.zeros(shape)
            scale = _scale(name, sizes)
            if scale:
                tensor.normal_(0.0, scale, generator=generator)
            elif ".ln_" in name and name.endswith("weight"):
                tensor.fill_(1.0)
            weights[name] = tensor.requires_grad_()
        return cls(sizes, weights)

    def run(self, ids: Tensor, swap: Swap | None = None) -> Run:
        """Run on tokens.

        Args:
            ids: ``[batch, pos]``.
            swap: Node outputs that are put in.
        """
        embedded = functional.embedding(ids, self.weights["transformer.wte.weight"])
        run = Run(embedded, embedded + self.weights["transformer.wpe.weight"][: ids.shape[1]])
        for layer in range(self.sizes.n_layers):
            self._block(run, layer, swap)
        return run

    def finish(self, stream: Tensor, layer: int) -> Tensor:
        """Logits ``[batch, vocab]`` from the residual stream ``[batch, pos, d_model]`` before a block."""
        run = Run(stream, stream)
        for following in range(layer, self.sizes.n_layers):
            self._block(run, following, None)
        return self.answer(run)

    def _block(self, run: Run, layer: int, swap: Swap | None) -> None:
        heads = self.attend(layer, run.final)
        if swap is not None:
            heads = swap.heads(layer, heads)
        between = run.final + self.linear(f"transformer.h.{layer}.attn.c_proj", heads.flatten(2))
        added = self.think(layer, between)
        if swap is not None:
            added = swap.mlp(layer, added)
        run.before_attn.append(run.final)
        run.before_mlp.append(between)
        run.heads.append(heads)
        run.mlp.append(added)
        run.final = between + added

    def attend(self, layer: int, stream: Tensor, head: int | None = None) -> Tensor:
        """Outputs of a layer's heads, ``[batch, pos, n_heads, head_dim]``, or of one alone, with 1 head."""
        name, width = f"transformer.h.{layer}.attn.c_attn", self.sizes.head_dim
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        if head is not None:
            columns = slice(head * width, (head + 1) * width)
            weight = weight.view(-1, 3, self.sizes.d_model)[:, :, columns].flatten(1)
            bias = bias.view(3, self.sizes.d_model)[:, columns].flatten()
        fused = self.norm(f"transformer.h.{layer}.ln_1", stream) @ weight + bias
        q, k, v = fused.view(*fused.shape[:2], 3, -1, width).permute(2, 0, 3, 1, 4)
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)

    def think(self, layer: int, stream: Tensor) -> Tensor:
        """What a layer's MLP adds to ``stream`` ``[..., d_model]``."""
        name = f"transformer.h.{layer}"
        inner = self.linear(f"{name}.mlp.c_fc", self.norm(f"{name}.ln_2", stream))
        return self.linear(f"{name}.mlp.c_proj", functional.gelu(inner, approximate="tanh"))

    def written(self, layer: int, head: int, output: Tensor) -> Tensor:
        """What a head's output ``[..., head_dim]`` adds to the residual stream, without the layer's bias."""
        width = self.sizes.head_dim
        rows = self.weights[f"transformer.h.{layer}.attn.c_proj.weight"][head * width : (head + 1) * width]
        return output @ rows

    def answer(self, run: Run) -> Tensor:
        """Logits at the last position of a run, ``[batch, vocab]``."""
        return self.logits(run.final[:, -1])

    def logits(self, final: Tensor) -> Tensor:
        """Logits of the residual stream ``[..., d_model]``."""
        return self.norm("transformer.ln_f", final) @ self.weights["lm_head.weight"].T

    def norm(self, name: str, stream: Tensor) -> Tensor:
        """LayerNorm."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return functional.layer_norm(stream, weight.shape, weight, bias, EPSILON)

    def linear(self, name: str, inputs: Tensor) -> Tensor:
        """A projection, its weight ``[in, out]``."""
        return inputs @ self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Shapes of all weights, by name."""
    width, inner = sizes.d_model, sizes.d_inner
    found: dict[str, tuple[int, ...]] = {
        "transformer.wte.weight": (sizes.vocab, width),
        "transformer.wpe.weight": (sizes.n_positions, width),
    }
    block = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.c_attn.weight": (width, 3 * width),
        "attn.c_attn.bias": (3 * width,),
        "attn.c_proj.weight": (width, width),
        "attn.c_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (width, inner),
        "mlp.c_fc.bias": (inner,),
        "mlp.c_proj.weight": (inner, width),
        "mlp.c_proj.bias": (width,),
    }
    for layer in range(sizes.n_layers):
        found |= {f"transformer.h.{layer}.{name}": shape for name, shape in block.items()}
    last = {"weight": (width,), "bias": (width,)}
    found |= {f"transformer.ln_f.{name}": shape for name, shape in last.items()}
    return found | {"lm_head.weight": (sizes.vocab, width)}


def _scale(name: str, sizes: Sizes) -> float:
    """Standard deviation of a weight's first values; 0: they are not drawn."""
    if name.endswith("bias") or ".ln_" in name:
        return 0.0
    if ".wte." in name or ".wpe." in name:
        return 0.5
    fan_in = sizes.d_inner if name.endswith("mlp.c_proj.weight") else sizes.d_model
    depth = math.sqrt(2 * sizes.n_layers) if "c_proj" in name else 1.0
    return 1.0 / (math.sqrt(fan_in) * depth)
