"""Attribution patching of every edge at once: EAP and EAP with integrated gradients over inputs.

The score of an edge u → v is (Syed et al. 2023; Hanna et al. 2024)

    − Σ over examples, positions, d_model of (ablated_u − clean_u) · mean over steps of ∂ metric / ∂ input_v,

divided by the number of examples: positive when the edge helps the metric. Gradients at q, k and v are taken after
the projections, head_dim wide; the step mean is formed there and carried back through folded projection and norm
once, so the cost of scoring does not grow with the number of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.engine.base import Constants, base_of_constants, base_of_run
from mibench.engine.batches import PairBatch, batches, n_batches
from mibench.engine.deltas import Deltas
from mibench.engine.gradients import Gradients
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.engine.run import Run, forward, prefix_of
from mibench.tasks.encode import EncodedPair

LAYERS_AT_ONCE = 4
"""Layers whose destinations enter one matrix product; wider products run closer to the machine's peak."""


@dataclass(frozen=True)
class Attribution:
    """How to attribute.

    Attributes:
        alphas: Points on the line from ablated (0) to clean (1) token embeddings at which gradients are taken.
        constants: Constant ablation; None: the counterfactual run.
        post_norm: Where heads are followed by a norm (Gemma 2): ``linearised`` carries a head's difference through
            it to first order; ``ignored`` skips it, as the EAP-IG package does.
        batch_size: Pairs a batch.
        chunk_tokens: Tokens scored at once; sets peak memory.
    """

    alphas: tuple[float, ...] = (1.0,)
    constants: Constants | None = None
    post_norm: Literal["linearised", "ignored"] = "linearised"
    batch_size: int = 20
    chunk_tokens: int = 256


def attribute_edges(
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    options: Attribution,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
) -> NDArray[np.float64]:
    """Score every edge.

    Args:
        model: The model.
        pairs: Discovery pairs.
        options: How to attribute.
        counter: Told of every pass.
        progress: Told of every batch.

    Returns:
        Scores ``[n_sources, n_destinations]``, metric units; zero where there is no edge. The order of the pairs
        and the batch size change only rounding.
    """
    scores = torch.zeros(model.graph.shape, dtype=torch.float64)
    total = n_batches(pairs, options.batch_size)
    for done, batch in enumerate(batches(pairs, options.batch_size, model.device)):
        scores += _attribute_batch(model, batch, options, counter or NoCounter())
        progress(done + 1, total)
    return np.where(model.graph.real_mask, -scores.numpy() / len(pairs), 0.0)


class _Line:
    """The straight line of token embeddings from ablated to clean, and plain runs at points of it."""

    def __init__(self, model: LanguageModel, batch: PairBatch, options: Attribution, counter: PassCounter) -> None:
        shared = batch.shared if options.constants is None else 0
        self._model, self._size, self._counter, self._alphas = model, len(batch), counter, options.alphas
        self._prefix = prefix_of(model, batch.clean[:, :shared])
        self._known: dict[float, Run] = {}
        with torch.no_grad():
            self._clean = model.anatomy.embed(batch.clean[:, shared:])
            if options.constants is None:
                self._ablated = model.anatomy.embed(batch.counterfactual[:, shared:])
                self.base = base_of_run(self.run(0.0))
            else:
                self.base = base_of_constants(model, options.constants, batch)
                self._ablated = self.base.embedded
        self.clean = self.run(1.0)

    def run(self, alpha: float) -> Run:
        """The plain run at ``alpha``, with gradients where they are asked for; each end is run once."""
        if alpha not in self._known:
            self._counter.forward(self._size)
            ends = {0.0: self._ablated, 1.0: self._clean}
            point = ends[alpha] if alpha in ends else torch.lerp(self._ablated, self._clean, alpha)
            run = forward(self._model, point, self._prefix, gradients=alpha in self._alphas)
            if alpha not in ends:
                return run
            self._known[alpha] = run
        return self._known[alpha]


def _attribute_batch(model: LanguageModel, batch: PairBatch, options: Attribution, counter: PassCounter) -> Tensor:
    line = _Line(model, batch, options, counter)
    deltas = Deltas(model, line.base, line.clean)
    gradients = Gradients(model, deltas.n_tokens)
    # A norm after attention is linearised anew at every step, so its steps cannot be summed before scoring.
    by_step = bool(line.clean.attn) and options.post_norm == "linearised"
    scores = torch.zeros(model.graph.shape, dtype=torch.float64)
    for alpha in options.alphas:
        run = line.run(alpha)
        counter.backward(len(batch))
        gradients.add(run, batch.metric(run.logits).sum())
        if by_step:
            scores += _score(model, deltas, gradients, options.chunk_tokens, through=run)
            gradients = Gradients(model, deltas.n_tokens)
    if not by_step:
        scores += _score(model, deltas, gradients, options.chunk_tokens)
    return scores / len(options.alphas)


@torch.no_grad()
def _score(
    model: LanguageModel, deltas: Deltas, gradients: Gradients, chunk_tokens: int, through: Run | None = None
) -> Tensor:
    """Products of source differences and destination gradients, ``[n_sources, n_destinations]`` float64."""
    graph, n_layers = model.graph, model.anatomy.n_layers
    scores = torch.zeros(graph.shape, dtype=torch.float64)
    for start in range(0, deltas.n_tokens, chunk_tokens):
        tokens = slice(start, start + chunk_tokens)
        delta = deltas.at(tokens, through).flatten(1)
        for first in range(0, n_layers, LAYERS_AT_ONCE):
            last = min(first + LAYERS_AT_ONCE, n_layers) - 1
            columns = slice(graph.layer_column(first), graph.mlp_column(last) + 1)
            gradient = torch.cat([gradients.at(layer, tokens) for layer in range(first, last + 1)]).flatten(1)
            rows = graph.mlp_row(last)
            scores[:rows, columns] += (delta[:rows] @ gradient.T).double().cpu()
        scores[:, -1] += (delta @ gradients.final[tokens].flatten()).double().cpu()
    return scores
