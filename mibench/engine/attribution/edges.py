"""Attribution patching of every edge at once: EAP and EAP with integrated gradients over inputs.

The score of an edge u → v is (Syed et al. 2023; Hanna et al. 2024)

    − Σ over examples, positions, d_model of (ablated_u − clean_u) · mean over steps of ∂ metric / ∂ input_v,

divided by the number of examples: positive when the edge helps the metric. Gradients at q, k and v are taken after
the projections, head_dim wide; the step mean is formed there and carried back through folded projection and norm
once, so the cost of scoring does not grow with the number of steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.engine.attribution.deltas import Deltas
from mibench.engine.attribution.gradients import Gradients
from mibench.engine.base import Constants, base_of_constants, base_of_run
from mibench.engine.batches import Batching, PairBatch
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.engine.rules import BackwardRules, backward_rules
from mibench.engine.run import Run, forward, prefix_of
from mibench.tasks.encode import EncodedPair

LAYERS_AT_ONCE = 4
"""Layers whose destinations enter one matrix product; wider products run closer to the machine's peak."""


@dataclass(frozen=True)
class Attribution(Batching):
    """How to attribute, in which batches.

    Attributes:
        alphas: Points on the line from ablated (0) to clean (1) token embeddings at which gradients are taken; an
            array ``[steps, examples]`` gives every example points of its own.
        constants: Constant ablation; None: the counterfactual run.
        post_norm: Where heads are followed by a norm (Gemma 2): ``linearised`` carries a head's difference through
            it to first order; ``ignored`` skips it, as the EAP-IG package does.
        chunk_tokens: Tokens scored at once; sets peak memory.
        rules: Rules by which gradients flow; None: plain gradients.
    """

    alphas: tuple[float, ...] | NDArray[np.float64] = (1.0,)
    constants: Constants | None = None
    post_norm: Literal["linearised", "ignored"] = "linearised"
    chunk_tokens: int = 256
    rules: BackwardRules | None = None


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
    total = options.n_batches(pairs)
    for done, batch in enumerate(options.batches(pairs, model.device)):
        products = EdgeProducts(model, batch, options, counter or NoCounter())
        scores += products.total()
        progress(done + 1, total)
    return np.where(model.graph.real_mask, -scores.numpy() / len(pairs), 0.0)


def attribute_examples(
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    options: Attribution,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Score every edge for each example by itself; the mean over examples is what ``attribute_edges`` gives.

    Args:
        model: The model.
        pairs: Discovery pairs.
        options: How to attribute.
        counter: Told of every pass.
        progress: Told of every batch.

    Yields:
        Where the example stands in ``pairs``, and its scores ``[n_sources, n_destinations]``.
    """
    total = options.n_batches(pairs)
    for done, batch in enumerate(options.batches(pairs, model.device)):
        products = EdgeProducts(model, batch, options, counter or NoCounter())
        for row, scores in zip(batch.rows, products.each(len(batch)), strict=True):
            yield row, np.where(model.graph.real_mask, -scores.numpy(), 0.0)
        progress(done + 1, total)


def edge_products(model: LanguageModel, batch: PairBatch, options: Attribution) -> EdgeProducts:
    """Run the passes of one batch, for measurements of what they and the scoring after them take."""
    return EdgeProducts(model, batch, options, NoCounter())


class Line:
    """The straight line of token embeddings from ablated to clean, and plain runs at points of it."""

    def __init__(self, model: LanguageModel, batch: PairBatch, options: Attribution, counter: PassCounter) -> None:
        shared = batch.shared if options.constants is None else 0
        self._model, self._size, self._counter = model, len(batch), counter
        self._last = batch.last - shared
        self.points = _points(options, batch, model.accumulate)
        self._prefix = prefix_of(model, batch.clean[:, :shared])
        self._known: dict[float, Run] = {}
        with torch.no_grad():
            self._clean = model.anatomy.embed(batch.clean[:, shared:])
            if options.constants is None:
                self._ablated = model.anatomy.embed(batch.counterfactual[:, shared:])
                self.base = base_of_run(self.run(0.0))
            else:
                self.base = base_of_constants(model, options.constants, batch)
                self._ablated = self.base.embedded.to(self._clean)
        self.clean = self.run(1.0)

    def run(self, alpha: float | Tensor) -> Run:
        """The plain run at ``alpha``, with gradients where they are asked for; each end is run once.

        Args:
            alpha: A number, or ``[batch, 1, 1]``.
        """
        ends = {0.0: self._ablated, 1.0: self._clean}
        if isinstance(alpha, Tensor) or alpha not in ends:
            sums = self._model.accumulate
            point = self._ablated.to(sums) + alpha * (self._clean.to(sums) - self._ablated.to(sums))
            return self._forward(point.to(self._clean), gradients=True)
        if alpha not in self._known:
            asked = any(alpha == point for point in self.points if isinstance(point, float))
            self._known[alpha] = self._forward(ends[alpha], gradients=asked)
        return self._known[alpha]

    def _forward(self, embedded: Tensor, *, gradients: bool) -> Run:
        self._counter.forward(self._size)
        return forward(self._model, embedded, self._prefix, last=self._last, gradients=gradients)


def _points(options: Attribution, batch: PairBatch, dtype: torch.dtype) -> list[float | Tensor]:
    """The points of a batch: numbers, or ``[batch, 1, 1]`` each."""
    if isinstance(options.alphas, tuple):
        return list(options.alphas)
    own = torch.from_numpy(options.alphas[:, list(batch.rows)]).to(batch.last.device)
    return list(own[:, :, None, None].to(dtype))


class EdgeProducts:
    """What a batch's products of source differences and destination gradients are made of."""

    def __init__(self, model: LanguageModel, batch: PairBatch, options: Attribution, counter: PassCounter) -> None:
        self._model, self._chunk = model, options.chunk_tokens
        frozen = options.rules is not None and options.rules.frozen_norms
        with backward_rules(model, options.rules):
            line = Line(model, batch, options, counter)
            self._deltas = Deltas(model, line.base, line.clean, frozen_norms=frozen)
            self._n_points = len(line.points)
            # A norm after attention is linearised anew at every step, so its steps cannot be summed before scoring.
            by_step = bool(line.clean.attn) and options.post_norm == "linearised"
            self._parts: list[tuple[Gradients, list[Tensor] | None]] = []
            for point in line.points:
                run = line.run(point)
                if by_step or not self._parts:
                    gradients = Gradients(model, self.n_tokens, frozen_norms=frozen)
                    self._parts.append((gradients, [part.detach() for part in run.attn] if by_step else None))
                counter.backward(len(batch))
                self._parts[-1][0].add(run, batch.metric(run.logits).sum())
                del run  # before the next one

    @property
    def n_tokens(self) -> int:
        """Tokens of the batch, those of one example after those of another."""
        return self._deltas.n_tokens

    def total(self) -> Tensor:
        """Products summed over all tokens and averaged over steps, ``[n_sources, n_destinations]`` float64."""
        scores = torch.zeros(1, *self._model.graph.shape, dtype=torch.float64)
        for start in range(0, self.n_tokens, self._chunk):
            scores += self._sums(slice(start, min(start + self._chunk, self.n_tokens)), 1)
        return scores[0]

    def each(self, examples: int) -> Iterator[Tensor]:
        """The same summed over the tokens of one of the batch's ``examples`` at a time, in their order."""
        n_pos = self.n_tokens // examples
        at_once = max(1, self._chunk // n_pos)
        for first in range(0, examples, at_once):
            count = min(at_once, examples - first)
            yield from self._sums(slice(first * n_pos, (first + count) * n_pos), count)

    @torch.no_grad()
    def _sums(self, tokens: slice, groups: int) -> Tensor:
        """Products summed over each of as many equal ``groups`` of tokens, ``[groups, n_sources, n_destinations]``."""
        graph, n_layers = self._model.graph, self._model.anatomy.n_layers
        scores = torch.zeros(groups, *graph.shape, dtype=torch.float64)
        for gradients, through in self._parts:
            delta = _grouped(self._deltas.at(tokens, through), groups)
            for first in range(0, n_layers, LAYERS_AT_ONCE):
                last = min(first + LAYERS_AT_ONCE, n_layers) - 1
                columns = slice(graph.layer_column(first), graph.mlp_column(last) + 1)
                gradient = _grouped(gradients.at(range(first, last + 1), tokens), groups).transpose(1, 2)
                rows = graph.mlp_row(last)
                scores[:, :rows, columns] += (delta[:, :rows] @ gradient).double().cpu()
                del gradient  # before the next ones are made
            final = _grouped(gradients.final[tokens][None], groups)
            scores[:, :, -1] += (delta @ final.transpose(1, 2))[:, :, 0].double().cpu()
        return scores / self._n_points


def _grouped(rows: Tensor, groups: int) -> Tensor:
    """``[rows, tokens, d_model]`` as ``[groups, rows, tokens of a group · d_model]``, without a copy."""
    return rows.reshape(len(rows), groups, -1).transpose(0, 1)
