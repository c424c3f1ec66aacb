"""The usual way to attribute and evaluate edges, written plainly for Llama models: what mibench is compared with.

Every head reads a copy of the residual stream of its own, normed by itself, through q, k and v; all sources' outputs
are kept in one tensor ``[batch, pos, source, d_model]``; attribution multiplies that tensor with the gradient of every
copy; evaluation adds to every copy the differences of the edges that are out, and runs everything anew, the
counterfactual prompts included, for every circuit. This is how the EAP-IG package does it, except that it runs the
clean prompts once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention as attend
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from mibench.graph.graph import Graph
from mibench.tasks.encode import EncodedPair

Change = Callable[[int, int, Tensor], Tensor]
"""From the first column of some destinations, the number of sources before them and their inputs to new inputs."""


@dataclass
class Trace:
    """What one pass left: sources ``[batch, pos, source, d_model]``, inputs by first column, and last logits."""

    sources: list[Tensor] = field(default_factory=list)
    inputs: dict[int, Tensor] = field(default_factory=dict)
    logits: Tensor = field(default_factory=lambda: torch.empty(0))


class PlainLlama:
    """A Llama model run with one input a head.

    Args:
        hf: The transformers model.
    """

    def __init__(self, hf: Any) -> None:
        self.hf, self.heads = hf, hf.config.num_attention_heads
        self.graph = Graph(hf.config.num_hidden_layers, self.heads, parallel=False)

    def run(self, embedded: Tensor, change: Callable[[Trace], Change] | None = None) -> Trace:
        """Run from embeddings ``[batch, pos, d_model]``, changing inputs on the way."""
        trace = Trace([embedded[:, :, None]])
        at = (lambda _column, _before, read: read) if change is None else change(trace)
        angles = self.hf.model.rotary_emb(embedded, torch.arange(embedded.shape[1])[None])
        stream = embedded
        for layer, block in enumerate(self.hf.model.layers):
            column, before = self.graph.layer_column(layer), self.graph.head_row(layer, 0)
            read = stream[:, :, None].expand(-1, -1, self.heads, -1)
            slots = [
                self._input(trace, column + slot * self.heads, at(column + slot * self.heads, before, read.clone()))
                for slot in range(3)
            ]
            heads = self._attend(block, slots, angles)
            trace.sources.append(heads)
            stream = stream + heads.sum(2)
            row = self.graph.mlp_row(layer)
            read = self._input(
                trace, column + 3 * self.heads, at(column + 3 * self.heads, row, stream[:, :, None].clone())
            )
            out = block.mlp(block.post_attention_layernorm(read[:, :, 0]))
            trace.sources.append(out[:, :, None])
            stream = stream + out
        last = self.graph.n_destinations - 1
        read = self._input(trace, last, at(last, self.graph.n_sources, stream[:, :, None].clone()))
        trace.logits = self.hf.lm_head(self.hf.model.norm(read[:, -1, 0]))
        return trace

    @staticmethod
    def _input(trace: Trace, column: int, read: Tensor) -> Tensor:
        trace.inputs[column] = read
        return read

    def _attend(self, block: Any, slots: list[Tensor], angles: tuple[Tensor, Tensor]) -> Tensor:
        attn, size = block.self_attn, block.self_attn.head_dim
        projected = []
        for read, module in zip(slots, (attn.q_proj, attn.k_proj, attn.v_proj), strict=True):
            weight = module.weight.view(-1, size, read.shape[-1])
            weight = weight.repeat_interleave(self.heads // len(weight), 0)
            projected.append(torch.einsum("bthd,hed->bhte", block.input_layernorm(read), weight))
        q, k = apply_rotary_pos_emb(projected[0], projected[1], *angles)
        mixed = attend(q, k, projected[2], is_causal=True)
        out = attn.o_proj.weight.T.view(self.heads, size, -1)
        return torch.einsum("bhte,hed->bthd", mixed, out)


def embeddings(model: PlainLlama, pairs: list[EncodedPair]) -> tuple[Tensor, Tensor]:
    """Token embeddings of clean and counterfactual prompts of one length."""
    with torch.no_grad():
        clean, other = (torch.tensor([getattr(pair, side) for pair in pairs]) for side in ("clean", "counterfactual"))
        return model.hf.model.embed_tokens(clean), model.hf.model.embed_tokens(other)


def metric(logits: Tensor, pairs: list[EncodedPair]) -> Tensor:
    """Logit differences, ``[batch]``."""
    rows = torch.arange(len(pairs))
    right, wrong = (torch.tensor([getattr(pair, side)[0] for pair in pairs]) for side in ("correct", "incorrect"))
    return logits[rows, right] - logits[rows, wrong]


def attribute(model: PlainLlama, pairs: list[EncodedPair], steps: int) -> Tensor:
    """EAP (``steps`` 0) or EAP-IG over inputs by the left rule, ``[n_sources, n_destinations]``."""
    clean, other = embeddings(model, pairs)
    with torch.no_grad():
        delta = torch.cat(model.run(other).sources, 2) - torch.cat(model.run(clean).sources, 2)
    scores = torch.zeros(model.graph.shape)
    points = [clean] if steps == 0 else [torch.lerp(other, clean, step / steps) for step in range(steps)]
    for point in points:
        trace = model.run(point.requires_grad_())
        found = torch.autograd.grad(metric(trace.logits, pairs).sum(), list(trace.inputs.values()))
        for (column, read), gradient in zip(trace.inputs.items(), found, strict=True):
            scores[:, column : column + read.shape[2]] -= torch.einsum("btsd,bthd->sh", delta, gradient)
    return scores * torch.tensor(model.graph.real_mask) / (len(pairs) * len(points))


@torch.no_grad()
def evaluate(model: PlainLlama, pairs: list[EncodedPair], edges: Tensor) -> Tensor:
    """Logit differences ``[batch]`` of a circuit of ``edges``, bool ``[n_sources, n_destinations]``."""
    clean, other = embeddings(model, pairs)
    ablated, out = torch.cat(model.run(other).sources, 2), (~edges).to(clean.dtype)

    def change(trace: Trace) -> Change:
        def changed(column: int, before: int, read: Tensor) -> Tensor:
            left_out = out[:before, column : column + read.shape[2]]
            difference = ablated[:, :, :before] - torch.cat(trace.sources, 2)[:, :, :before]
            return read + torch.einsum("btsd,sh->bthd", difference, left_out)

        return changed

    return metric(model.run(clean, change).logits, pairs)
