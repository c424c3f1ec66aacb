"""Residual streams under real-valued masks, differentiable towards the masks and every source.

The stream read by a destination v is its base stream plus Σ_u M_uv (value now of u − base value of u). Edge masks need
one stream a destination slot, node and neuron masks (M_uv = m_u for every v) one a layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from mibench.engine.base import Base
from mibench.engine.model import LanguageModel


@dataclass
class _Rows:
    """Sources written so far and the gradients towards them, ``[groups, n_sources, tokens · d_model]`` each.

    One copy serves every layer: autograd alone would keep a copy of all earlier sources for each reader.
    """

    values: Tensor
    gradients: Tensor = field(default_factory=lambda: torch.empty(0))

    def collect(self) -> Tensor:
        """The gradients, zero at first."""
        if not self.gradients.numel():
            self.gradients = torch.zeros_like(self.values)
        return self.gradients


class _Write(torch.autograd.Function):
    """Put sources into the buffer.

    ``order`` runs through all writes and reads, so that on the way back a row's readers come before its writer.
    """

    @staticmethod
    def forward(ctx: Any, rows: _Rows, start: int, values: Tensor, order: Tensor) -> Tensor:
        ctx.rows, ctx.place = rows, slice(start, start + values.shape[1])
        rows.values[:, ctx.place] = values
        return order.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor, Tensor]:
        found = ctx.rows.collect()[:, ctx.place]
        gradient = found.clone()
        found.zero_()
        return None, None, gradient, gradients[0]


class _Read(torch.autograd.Function):
    """Sum sources by a mask ``[groups, sources, destinations]``."""

    @staticmethod
    def forward(ctx: Any, rows: _Rows, start: int, mask: Tensor, order: Tensor) -> Tensor:
        ctx.rows, ctx.place = rows, slice(start, start + mask.shape[1])
        ctx.save_for_backward(mask, order)
        return torch.bmm(mask.transpose(1, 2), rows.values[:, ctx.place])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor | None, Tensor]:
        mask, order = ctx.saved_tensors
        ctx.rows.collect()[:, ctx.place] += torch.bmm(mask, gradients[0])
        towards_mask = None
        if ctx.needs_input_grad[2]:
            towards_mask = torch.bmm(ctx.rows.values[:, ctx.place], gradients[0].transpose(1, 2))
        return None, None, towards_mask, torch.zeros_like(order)


class EdgeStreams:
    """Streams of an edge mask.

    Args:
        model: The model.
        base: The ablated values.
        mask: ``[n_sources, n_destinations]``, or one an example, ``[batch, n_sources, n_destinations]``.
    """

    def __init__(self, model: LanguageModel, base: Base, mask: Tensor) -> None:
        self._mask = mask if mask.ndim == 3 else mask[None]
        self._graph = model.graph
        self._d_model = model.anatomy.d_model
        groups, tokens = len(self._mask), base.embedded.shape[0] * base.embedded.shape[1]
        values = mask.new_empty(groups, self._graph.n_sources, tokens // groups * self._d_model)
        self._rows = _Rows(values)
        self._written = 0
        self._order = mask.new_zeros((), requires_grad=True)
        self._mlp: Tensor = mask

    def push(self, values: Tensor) -> None:
        """Add sources, ``[rows, tokens, d_model]`` of value − base value."""
        grouped = values.to(self._mask.device).reshape(len(values), len(self._mask), -1).transpose(0, 1)
        self._order = _Write.apply(self._rows, self._written, grouped, self._order)  # type: ignore[no-untyped-call]
        self._written += len(values)

    def push_heads(self, layer: int, values: Tensor) -> None:  # noqa: ARG002
        """Add the heads of a layer."""
        self.push(values)

    def read_heads(self, layer: int) -> Tensor:
        """Differences of the streams of a layer's q, k and v slots, ``[3 · n_heads, tokens, d_model]``."""
        first, last = self._graph.layer_column(layer), self._graph.mlp_column(layer)
        streams = self._sum(0, self._written, slice(first, last + 1))
        self._mlp = streams[-1]
        return streams[:-1]

    def read_mlp(self, layer: int) -> Tensor:
        """Difference of the stream of a layer's MLP, ``[tokens, d_model]``."""
        if self._graph.parallel:
            return self._mlp
        column = self._graph.mlp_column(layer)
        heads = self._sum(self._graph.head_row(layer, 0), self._graph.mlp_row(layer), slice(column, column + 1))
        return self._mlp + heads[0]

    def read_logits(self) -> Tensor:
        """Difference of the stream of the logits, ``[tokens, d_model]``."""
        last = self._graph.n_destinations - 1
        return self._sum(0, self._written, slice(last, last + 1))[0]

    def _sum(self, first: int, last: int, columns: slice, kept: Tensor | None = None) -> Tensor:
        """Masked sums of the sources ``first`` to ``last``, ``[columns, tokens, d_model]``."""
        mask = self._mask[:, first:last, columns]
        mask = mask if kept is None else mask * kept[first:last, None]
        found = _Read.apply(self._rows, first, mask, self._order)  # type: ignore[no-untyped-call]
        by_column: Tensor = found.view(*found.shape[:2], -1, self._d_model).transpose(0, 1)
        return by_column.reshape(found.shape[1], -1, self._d_model)


class PostNormEdgeStreams(EdgeStreams):
    """Streams of an edge mask where a layer's heads add together through a norm (Gemma 2).

    Every pair of a destination and an earlier layer is normed by itself, which costs time and memory quadratic in
    the number of layers.
    """

    def __init__(self, model: LanguageModel, base: Base, mask: Tensor) -> None:
        super().__init__(model, base, mask)
        self._norms = [_AfterNorm(model, base, layer) for layer in range(model.graph.n_layers)]
        self._plain = mask.new_zeros(model.graph.n_sources)
        self._plain[[0, *(model.graph.mlp_row(layer) for layer in range(model.graph.n_layers))]] = 1

    def read_heads(self, layer: int) -> Tensor:
        """Differences of the streams of a layer's q, k and v slots, ``[3 · n_heads, tokens, d_model]``."""
        return self._mix(slice(self._graph.layer_column(layer), self._graph.mlp_column(layer)))

    def read_mlp(self, layer: int) -> Tensor:
        """Difference of the stream of a layer's MLP, ``[tokens, d_model]``."""
        return self._mix(slice(self._graph.mlp_column(layer), self._graph.mlp_column(layer) + 1))[0]

    def read_logits(self) -> Tensor:
        """Difference of the stream of the logits, ``[tokens, d_model]``."""
        return self._mix(slice(self._graph.n_destinations - 1, self._graph.n_destinations))[0]

    def _mix(self, columns: slice) -> Tensor:
        streams = self._sum(0, self._written, columns, self._plain)
        for layer, norm in enumerate(self._norms):
            first, last = self._graph.head_row(layer, 0), self._graph.mlp_row(layer)
            if last <= self._written:
                streams = streams + norm(self._sum(first, last, columns))
        return streams


class NodeStreams:
    """The one stream of a node or neuron mask.

    Args:
        model: The model.
        base: The ablated values.
        mask: ``[n_sources, width]`` or ``[batch, n_sources, width]``, ``width`` being 1 (nodes) or d_model (neurons).
    """

    def __init__(self, model: LanguageModel, base: Base, mask: Tensor) -> None:
        self._mask = mask if mask.ndim == 3 else mask[None]
        self._parallel = model.graph.parallel
        self._norms: list[_AfterNorm] = []
        if model.anatomy.layout.post_attn:
            self._norms = [_AfterNorm(model, base, layer) for layer in range(model.graph.n_layers)]
        self._sum = mask.new_zeros(base.embedded.shape[0] * base.embedded.shape[1], model.anatomy.d_model)
        self._before = self._sum
        self._written = 0

    def push(self, values: Tensor) -> None:
        """Add sources, ``[rows, tokens, d_model]`` of value − base value."""
        self._sum = self._sum + self._masked(values)

    def push_heads(self, layer: int, values: Tensor) -> None:
        """Add the heads of a layer, through the norm that follows them where there is one."""
        change = self._masked(values)
        self._sum = self._sum + (self._norms[layer](change) if self._norms else change)

    def read_heads(self, layer: int) -> Tensor:  # noqa: ARG002
        """Difference of the stream before a layer, ``[tokens, d_model]``."""
        self._before = self._sum
        return self._sum

    def read_mlp(self, layer: int) -> Tensor:  # noqa: ARG002
        """Difference of the stream of a layer's MLP, ``[tokens, d_model]``."""
        return self._before if self._parallel else self._sum

    def read_logits(self) -> Tensor:
        """Difference of the stream of the logits, ``[tokens, d_model]``."""
        return self._sum

    def _masked(self, values: Tensor) -> Tensor:
        mask = self._mask[:, self._written : self._written + len(values), None].transpose(0, 1)
        self._written += len(values)
        grouped = values.to(mask.device).view(len(values), len(self._mask), -1, values.shape[-1])
        return (grouped * mask).sum(0).flatten(0, 1)


class _AfterNorm:
    """What a change of a layer's attention output becomes behind its norm."""

    def __init__(self, model: LanguageModel, base: Base, layer: int) -> None:
        norm = model.anatomy.blocks[layer].post_attn
        self._norm = torch.nn.Identity() if norm is None else norm
        self._attn = base.attn[layer].flatten(0, 1).to(model.device, model.accumulate)
        self._start: Tensor = self._norm(self._attn)

    def __call__(self, change: Tensor) -> Tensor:
        """norm(base + change) − norm(base) of ``[..., tokens, d_model]``."""
        changed: Tensor = self._norm(self._attn + change) - self._start
        return changed.to(change.device)
