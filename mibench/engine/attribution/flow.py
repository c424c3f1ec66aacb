"""How much of every residual stream comes from every source: information flow routes.

A destination reads a stream y, the sum of its sources' outputs x and of what is in no node. The proximity of x to y
is max(0, ‖y‖₁ − ‖y − x‖₁): how much nearer y is to x than to nothing (Ferrando and Voita 2024). q, k and v of all
heads of a layer read the same stream, so every source is compared once with each of the 2 L + 1 streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.engine.attribution.edges import Attribution
from mibench.engine.folded import norm_jvp
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.engine.run import Run, forward
from mibench.graph.graph import Graph
from mibench.tasks.encode import EncodedPair


def information_flow(
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    options: Attribution,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
    *,
    processed: bool = False,
) -> NDArray[np.float64]:
    """Each source's share of the streams that destinations read on clean prompts.

    Args:
        model: The model.
        pairs: Discovery pairs; their counterfactuals are not looked at.
        options: Batches, ``chunk_tokens``, and ``post_norm``: a head's output is what comes of it behind the norm
            after attention, at the scale that the norm has (``linearised``), or what enters it (``ignored``).
        counter: Told of every pass.
        progress: Told of every batch.
        processed: As on TransformerLens' processed weights: outputs without value biases, and, where the model has
            LayerNorm, outputs and streams with their mean over d_model removed.

    Returns:
        Mean over examples of the mean over their positions of proximities divided by their sum over sources,
        ``[n_sources, n_destinations]``; a stream that no source is near has shares of 0.
    """
    graph = model.graph
    shares = torch.zeros(graph.n_sources, 2 * graph.n_layers + 1, dtype=torch.float64)
    total = options.n_batches(pairs)
    for done, batch in enumerate(options.batches(pairs, model.device)):
        (counter or NoCounter()).forward(len(batch))
        with torch.no_grad():
            run = forward(model, model.anatomy.embed(batch.clean), None, last=batch.last)
            weights = (batch.real.cpu().double() / (batch.last.cpu() + 1)[:, None]).flatten()
            streams = _Streams(model, run, processed=processed, ignore_norms=options.post_norm == "ignored")
            for start in range(0, len(weights), options.chunk_tokens):
                tokens = slice(start, start + options.chunk_tokens)
                shares += _shares(streams, tokens).cpu().double() @ weights[tokens]
        progress(done + 1, total)
    return np.where(graph.real_mask, shares.numpy()[:, _stream_of(graph)] / len(pairs), 0.0)


def _stream_of(graph: Graph) -> list[int]:
    """The stream that each destination reads: two a layer, before its heads and before its MLP; last the final one."""
    layers = range(graph.n_layers)
    slots = 3 * graph.n_heads
    return [at for layer in layers for at in (*[2 * layer] * slots, 2 * layer + 1)] + [2 * graph.n_layers]


@dataclass(frozen=True)
class _Streams:
    """Streams and source outputs of one run, flat over tokens."""

    model: LanguageModel
    run: Run
    processed: bool
    ignore_norms: bool

    def at(self, tokens: slice) -> Tensor:
        """Streams ``[tokens, 2 n_layers + 1, d_model]``."""
        run = self.run
        pairs = zip(run.before_attn, run.before_mlp, strict=True)
        streams = [*(stream for pair in pairs for stream in pair), run.final]
        return torch.stack([self._ready(stream.flatten(0, 1)[tokens]) for stream in streams], dim=1)

    def sources(self, tokens: slice) -> Iterator[tuple[int, Tensor]]:
        """Source outputs ``[sources, tokens, d_model]`` group by group, and the first stream that each group enters."""
        yield 0, self._ready(self.run.embedded.flatten(0, 1)[tokens])[None]
        for layer in range(self.model.anatomy.n_layers):
            yield 2 * layer + 1 + self.model.anatomy.parallel, self._ready(self._heads(layer, tokens))
            yield 2 * layer + 2, self._ready(self.run.mlp[layer].flatten(0, 1)[tokens])[None]

    def _heads(self, layer: int, tokens: slice) -> Tensor:
        model = self.model
        values = self.run.heads_of(layer).flatten(0, 1)[tokens].to(model.accumulate)
        if self.processed:
            folded = model.folded[layer]
            values = values - folded.bias[folded.index[2]]
        heads = torch.bmm(values.transpose(0, 1), model.out_weights[layer])
        post = model.anatomy.blocks[layer].post_attn
        if post is None or self.ignore_norms:
            return heads
        attn = self.run.attn[layer].flatten(0, 1)[tokens].to(model.accumulate)
        return norm_jvp(heads, attn, model.anatomy.norm(post), frozen=True)

    def _ready(self, values: Tensor) -> Tensor:
        values = values.to(self.model.device, self.model.accumulate)
        centred = self.processed and self.model.anatomy.layout.norm == "layer"
        return values - values.mean(-1, keepdim=True) if centred else values


def _shares(streams: _Streams, tokens: slice) -> Tensor:
    """Shares of some tokens, ``[n_sources, 2 n_layers + 1, tokens]``."""
    read = streams.at(tokens)
    lengths = read.abs().sum(-1)
    parts = []
    for first, outputs in streams.sources(tokens):
        rest = torch.cdist(read[:, first:], outputs.transpose(0, 1), p=1.0)
        near = read.new_zeros(len(outputs), *lengths.T.shape)
        near[:, first:] = (lengths[:, first:, None] - rest).clamp(min=0).permute(2, 1, 0)
        parts.append(near)
    near = torch.cat(parts)
    total = near.sum(0)
    return torch.where(total > 0, near / total, 0.0)
