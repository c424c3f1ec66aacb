"""Attribution patching with AtP*'s two corrections (Kramár et al. 2024, arXiv 2403.00745).

QK fix: attention saturates, so a gradient says little of a changed query or key. What the head emits is computed
with the changed query (or key), and only what follows the head is taken to first order.

GradDrop: direct and indirect effects cancel, so a small gradient need not mean a small effect. In pass ℓ no gradient
flows through block ℓ's attention and MLP; |score| is averaged over the passes that leave the scored part's own
block in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.core.specs import Level
from mibench.engine.attribution.deltas import Deltas
from mibench.engine.attribution.gradients import Gradients
from mibench.engine.base import Constants, Sides, base_of_constants, base_of_run
from mibench.engine.batches import Batching, PairBatch
from mibench.engine.circuits.differences import Differences
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.engine.resume import Resume
from mibench.engine.run import forward, prefix_of
from mibench.tasks.encode import EncodedPair


@dataclass(frozen=True, kw_only=True)
class AtpStar(Batching):
    """How to attribute; batches as in ``Batching``.

    Attributes:
        constants: Constant ablation; None: the counterfactual run.
        qk_fix: Edges into queries and keys go through the changed attention; nodes do not end there, so theirs stay.
        grad_drop: Average over passes with one block's gradient dropped; scores are then at least 0.
        chunk_tokens: Tokens of all changed queries that are attended with at once; sets peak memory.
    """

    constants: Constants | None = None
    qk_fix: bool = True
    grad_drop: bool = True
    chunk_tokens: int = 4096


def attribute_star(
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    level: Level,
    options: AtpStar,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
) -> NDArray[np.float64]:
    """Score every edge or node.

    Args:
        model: The model.
        pairs: Discovery pairs.
        level: ``edge`` or ``node``; a node's score in one pass is the sum of those of its outgoing edges.
        options: How to attribute.
        counter: Told of every pass; parts of passes are rounded once a batch.
        progress: Told of every batch.

    Returns:
        ``[n_sources, n_destinations]`` or ``[n_sources]``, metric units; zero where there is no edge.
    """
    shape = model.graph.shape if level is Level.EDGE else model.graph.shape[:1]
    scores = torch.zeros(shape, dtype=torch.float64)
    total = options.n_batches(pairs)
    for done, batch in enumerate(options.batches(pairs, model.device)):
        scores += _Batch(model, batch, options, counter or NoCounter()).scores(level)
        progress(done + 1, total)
    found: NDArray[np.float64] = scores.numpy() / len(pairs)
    return np.where(model.graph.real_mask, found, 0.0) if level is Level.EDGE else found


class _Batch:
    """Gradients of one batch, with one block's dropped after another."""

    def __init__(self, model: LanguageModel, batch: PairBatch, options: AtpStar, counter: PassCounter) -> None:
        self._model, self._graph, self._batch = model, model.graph, batch
        self._options, self._counter = options, counter
        self._sides = _sides(model, batch, options.constants)
        counter.forward((2 if options.constants is None else 1) * len(batch))
        # Dropping the only block would leave nothing of it.
        self._drops = options.grad_drop and self._graph.n_layers > 1
        self._passes: list[int | None] = [*range(self._graph.n_layers)] if self._drops else [None]

    def scores(self, level: Level) -> Tensor:
        """Scores summed over the batch's examples."""
        weights = self._weights(level)
        deltas = Deltas(self._model, self._sides.base, self._sides.clean)
        total = torch.zeros(self._graph.shape if level is Level.EDGE else weights.shape[1:], dtype=torch.float64)
        at_heads = []
        for place in range(len(self._passes)):
            gradients, found = self._backward(place)
            at_heads.append(found)
            for example in range(len(self._batch)):
                products = self._products(deltas, gradients, example)
                total += weights[place] * self._signless(products if level is Level.EDGE else products.sum(1))
        if level is Level.EDGE and self._options.qk_fix:
            self._fix(total, weights, at_heads)
        return total

    def _signless(self, products: Tensor) -> Tensor:
        return products.abs() if self._options.grad_drop else -products

    def _weights(self, level: Level) -> Tensor:
        """Share of each pass in each destination's (or node's) score, ``[passes, destinations]``."""
        graph = self._graph
        if level is Level.EDGE:
            own = np.append(np.arange(graph.n_destinations - 1) // (3 * graph.n_heads + 1), -1)
        else:
            own = (np.arange(graph.n_sources) - 1) // (graph.n_heads + 1)
        dropped = np.array([-2 if layer is None else layer for layer in self._passes])
        counted = dropped[:, None] != own[None, :]
        return torch.from_numpy(counted / counted.sum(0))

    def _backward(self, place: int) -> tuple[Gradients, list[Tensor]]:
        """Gradients of one pass: at every destination, and at the heads' outputs of each layer."""
        run, dropped = self._sides.clean, self._passes[place]
        at_heads = [torch.zeros_like(heads) for heads in run.heads]
        gradients = Gradients(self._model, run.embedded.shape[:2].numel())
        with ExitStack() as stack:
            for layer, heads in enumerate(run.heads):
                _hook(stack, heads, partial(_keep, at_heads[layer]))
            for output in () if dropped is None else (run.heads[dropped], run.mlp[dropped]):
                _hook(stack, output, torch.zeros_like)
            metric = self._batch.metric(run.logits).sum()
            gradients.add(run, metric, keep_graph=place + 1 < len(self._passes))
        self._counter.backward(len(self._batch))
        return gradients, at_heads

    @torch.no_grad()
    def _products(self, deltas: Deltas, gradients: Gradients, example: int) -> Tensor:
        """Products of differences and gradients of one example, ``[n_sources, n_destinations]`` float64."""
        graph, run = self._graph, self._sides.clean
        n_pos = run.embedded.shape[1]
        tokens = slice(example * n_pos, (example + 1) * n_pos)
        delta = deltas.at(tokens, [attn.detach() for attn in run.attn] or None).flatten(1)
        products = torch.zeros(graph.shape, dtype=torch.float64)
        for layer in range(graph.n_layers):
            rows, columns = graph.mlp_row(layer), slice(graph.layer_column(layer), graph.mlp_column(layer) + 1)
            gradient = gradients.at(range(layer, layer + 1), tokens).flatten(1)
            products[:rows, columns] = (delta[:rows] @ gradient.T).double().cpu()
        products[:, -1] = (delta @ gradients.final[tokens].flatten()).double().cpu()
        return products * torch.from_numpy(graph.real_mask.copy())

    @torch.no_grad()
    def _fix(self, total: Tensor, weights: Tensor, at_heads: list[list[Tensor]]) -> None:
        """Replace the scores of edges into queries and keys."""
        graph, size = self._graph, self._sides.clean.embedded.shape[:2].numel()
        rest, differences = Resume(self._model, self._sides), Differences(self._model, self._sides)
        step = max(1, self._options.chunk_tokens // size)
        attended = 0
        for start in range(0, graph.head_row(graph.n_layers - 1, 0), step):
            rows = range(start, min(start + step, graph.head_row(graph.n_layers - 1, 0)))
            changes = differences.at(rows)
            for layer in range(graph.n_layers):
                before = max(0, graph.head_row(layer, 0) - start)
                if before:
                    found = self._fixed(rest, layer, changes[:before], at_heads)
                    columns = slice(graph.layer_column(layer), graph.layer_column(layer) + 2 * graph.n_heads)
                    total[start : start + found.shape[1], columns] = torch.einsum(
                        "pnc,pc->nc", found, weights[:, columns]
                    )
                    attended += found.shape[1]
        # A query and a key each take half a layer.
        self._counter.forward(round(attended * len(self._batch) / graph.n_layers))

    def _fixed(self, rest: Resume, layer: int, changes: Tensor, at_heads: list[list[Tensor]]) -> Tensor:
        """Scores of each pass, summed over examples: ``[passes, copies, 2 n_heads]``, queries before keys."""
        heads = self._graph.n_heads
        gradients = torch.stack([one[layer].view(*changes.shape[1:3], heads, -1) for one in at_heads]).to(changes.dtype)
        found = []
        for change in rest.head_changes(layer, changes, (0, 1)):
            products = torch.einsum("pbthd,nbthd->pnbh", gradients, change)
            found.append(self._signless(products.double()).sum(2))
        return torch.cat(found, dim=-1).cpu()


def _hook(stack: ExitStack, tensor: Any, hook: Callable[[Tensor], Tensor | None]) -> None:
    stack.callback(tensor.register_hook(hook).remove)


def _keep(place: Tensor, gradient: Tensor) -> None:
    place.copy_(gradient)


def _sides(model: LanguageModel, batch: PairBatch, constants: Constants | None) -> Sides:
    """Both sides of a batch, the clean one with gradients."""
    shared = batch.shared if constants is None else 0
    prefix, last, embed = prefix_of(model, batch.clean[:, :shared]), batch.last - shared, model.anatomy.embed
    with torch.no_grad():
        if constants is None:
            base = base_of_run(forward(model, embed(batch.counterfactual[:, shared:]), prefix, last=last))
        else:
            base = base_of_constants(model, constants, batch)
    clean = forward(model, embed(batch.clean[:, shared:]), prefix, last=last, gradients=True)
    return Sides(prefix, clean, base, clean.context)
