"""Attribution patching with integrated gradients over activations: EAP-IG-activations.

Sources that act at one place move together: the input, all heads of a layer, an MLP. The score of an edge u → v is
(Hanna et al. 2024)

    − Σ over examples, positions, d_model of (ablated_u − clean_u) · mean over alphas of ∂ metric / ∂ input_v,

divided by the number of examples, where at alpha u's group emits ablated + alpha (clean − ablated) and every source
before it what it emits on the clean prompt. Summed over the edges of a group this tends with more steps to the
metric that is lost when the whole group is ablated. At alpha = 1 all groups share one run, the clean one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.engine.attribution.deltas import Deltas
from mibench.engine.attribution.edges import Attribution
from mibench.engine.attribution.gradients import Gradients
from mibench.engine.base import Constants, base_of_constants, prepare
from mibench.engine.batches import PairBatch
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.engine.rules import backward_rules
from mibench.engine.run import Replace, Run, forward
from mibench.graph.graph import Graph
from mibench.tasks.encode import EncodedPair


def attribute_activations(
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
        options: How to attribute; ``alphas`` are numbers, from ablated (0) to clean (1) outputs of a group.
        counter: Told of every pass.
        progress: Told of every group of every batch.

    Returns:
        Scores ``[n_sources, n_destinations]``, metric units; zero where there is no edge. The order of the pairs
        and the batch size change only rounding.
    """

    def moves(batch: PairBatch) -> _Moves:
        return _Moves(model, batch, options, counter or NoCounter())

    return _attribute(moves, model, pairs, options, progress)


def attribute_activations_like_eap_ig(
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    options: Attribution,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
    *,
    start: Constants | None = None,
) -> NDArray[np.float64]:
    """What the EAP-IG package gives for ``attribute_activations``.

    There, the steps of every group count for every edge, and autograd does not see what moves: gradients stop at it,
    and while the input moves there are none at destinations that read nothing else.

    Args:
        model: The model.
        pairs: Discovery pairs.
        options: How to attribute.
        counter: Told of every pass.
        progress: Told of every group of every batch.
        start: Where groups move from; None: from the ablated values.
    """

    def moves(batch: PairBatch) -> _Moves:
        return _MovesLikeEapIg(model, batch, options, counter or NoCounter(), start)

    return _attribute(moves, model, pairs, options, progress)


def _attribute(
    moves: Callable[[PairBatch], _Moves],
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    options: Attribution,
    progress: Progress,
) -> NDArray[np.float64]:
    scores = torch.zeros(model.graph.shape, dtype=torch.float64)
    n_groups = 2 * model.graph.n_layers + 1
    total = options.n_batches(pairs) * n_groups
    for done, batch in enumerate(options.batches(pairs, model.device)):
        with backward_rules(model, options.rules):
            moved = moves(batch)
            for group in range(n_groups):
                scores += moved.scores(group)
                progress(done * n_groups + group + 1, total)
    return np.where(model.graph.real_mask, -scores.numpy() / len(pairs), 0.0)


class _Moves:
    """A batch whose groups are moved one by one; group 0 is the input, then heads and MLP of each layer take turns."""

    def __init__(self, model: LanguageModel, batch: PairBatch, options: Attribution, counter: PassCounter) -> None:
        counter.forward(len(batch) * (2 if options.constants is None else 1))
        self.model, self.options = model, options
        self.alphas = [float(alpha) for alpha in options.alphas]
        self._batch, self._counter = batch, counter
        self._sides = prepare(model, batch, options.constants)
        self.start = self._sides.base
        self._frozen = options.rules is not None and options.rules.frozen_norms
        self._deltas = Deltas(model, self._sides.base, self._sides.clean, frozen_norms=self._frozen)
        # A norm after attention is linearised anew at every step, so its steps cannot be summed before scoring.
        self._by_step = bool(self._sides.clean.attn) and options.post_norm == "linearised"

    def scores(self, group: int) -> Tensor:
        """What one group adds to the scores, ``[n_sources, n_destinations]`` float64."""
        apart = [alpha for alpha in self.alphas if alpha != 1.0]
        rows = _rows(self.model.graph, group)
        scores = self.products((self.run(group, alpha) for alpha in apart), rows, group // 2)
        if group == 0 and len(apart) < len(self.alphas):
            clean = self._forward(self._sides.clean.embedded, Replace())
            scores += self.products([clean], slice(None), 0) * (len(self.alphas) - len(apart))
        return scores / len(self.alphas)

    def run(self, group: int, alpha: float) -> Run:
        """The run with ``group`` at ``alpha``; sources before it are held, so that no gradient needs to go there."""
        clean = self._sides.clean
        heads = {layer: clean.heads[layer] for layer in range(group // 2)}
        mlp = {layer: clean.mlp[layer] for layer in range((group - 1) // 2)}
        return self.moved(group, alpha, Replace(heads, mlp))

    def moved(self, group: int, alpha: float, held: Replace) -> Run:
        """The run with ``group`` at ``alpha`` and ``held`` besides."""
        start, clean = self.start, self._sides.clean
        if group == 0:
            return self._forward(self._between(start.embedded, clean.embedded, alpha), held)
        layer, is_mlp = divmod(group - 1, 2)
        if is_mlp:
            own = {layer: self._between(start.mlp[layer], clean.mlp[layer], alpha)}
            return self._forward(clean.embedded, Replace(held.heads, {**held.mlp, **own}))
        own = {layer: self._between(start.heads[layer].flatten(2), clean.heads[layer], alpha)}
        return self._forward(clean.embedded, Replace({**held.heads, **own}, held.mlp))

    def _between(self, start: Tensor, clean: Tensor, alpha: float) -> Tensor:
        start = start.to(clean.device, self.model.accumulate)
        return (start + alpha * (clean.to(start) - start)).to(clean)

    def _forward(self, embedded: Tensor, replace: Replace) -> Run:
        self._counter.forward(len(self._batch))
        prefix, last = self._sides.prefix, self._sides.clean.last
        return forward(self.model, embedded, prefix, last=last, gradients=True, replace=replace)

    def products(self, runs: Iterable[Run], rows: slice, first: int) -> Tensor:
        """Changes of ``rows`` times gradients at destinations from layer ``first`` on, summed over runs.

        Returns:
            ``[n_sources, n_destinations]`` float64, zero for the rest.
        """
        scores = torch.zeros(self.model.graph.shape, dtype=torch.float64)
        gradients = self._no_gradients()
        for run in runs:
            self._counter.backward(len(self._batch))
            gradients.add(run, self._batch.metric(run.logits).sum() + _unread(run))
            if self._by_step:
                self._add(scores, gradients, rows, first, [part.detach() for part in run.attn])
                gradients = self._no_gradients()
        if not self._by_step:
            self._add(scores, gradients, rows, first, None)
        return scores

    def _no_gradients(self) -> Gradients:
        return Gradients(self.model, self._deltas.n_tokens, frozen_norms=self._frozen)

    @torch.no_grad()
    def _add(self, scores: Tensor, gradients: Gradients, rows: slice, first: int, through: list[Tensor] | None) -> None:
        graph, step = self.model.graph, self.options.chunk_tokens
        for start in range(0, self._deltas.n_tokens, step):
            tokens = slice(start, min(start + step, self._deltas.n_tokens))
            delta = self._deltas.at(tokens, through)[rows].flatten(1)
            for layer in range(first, graph.n_layers):
                columns = slice(graph.layer_column(layer), graph.mlp_column(layer) + 1)
                gradient = gradients.at(range(layer, layer + 1), tokens).flatten(1)
                scores[rows, columns] += (delta @ gradient.T).cpu().double()
            scores[rows, -1] += (delta @ gradients.final[tokens].flatten()).cpu().double()


class _MovesLikeEapIg(_Moves):
    """The same as the EAP-IG package does it."""

    def __init__(
        self,
        model: LanguageModel,
        batch: PairBatch,
        options: Attribution,
        counter: PassCounter,
        start: Constants | None,
    ) -> None:
        super().__init__(model, batch, options, counter)
        if start is not None:
            self.start = base_of_constants(model, start, batch)

    def scores(self, group: int) -> Tensor:
        """What one group adds to the scores of all edges."""
        graph = self.model.graph
        scores = self.products((self.run(group, alpha) for alpha in self.alphas), slice(None), 0)
        if group == 0 and self.model.anatomy.layout.positions is None:
            scores[:, : graph.mlp_column(0) + graph.parallel] = 0  # Destinations that read the input and nothing else.
        return scores / (len(self.alphas) * (2 * graph.n_layers + 1))

    def run(self, group: int, alpha: float) -> Run:
        """The run with ``group`` at ``alpha``."""
        return self.moved(group, alpha, Replace())


def _rows(graph: Graph, group: int) -> slice:
    if group == 0:
        return slice(0, 1)
    layer, is_mlp = divmod(group - 1, 2)
    first = graph.mlp_row(layer) if is_mlp else graph.head_row(layer, 0)
    return slice(first, graph.mlp_row(layer) + is_mlp)


def _unread(run: Run) -> Tensor:
    """Zero, made of all streams and projections: what only replaced outputs have read then has a gradient, of zero."""
    parts = (part.flatten()[0].to(run.logits.device) for part in (*run.projected, *run.before_mlp))
    return torch.stack(list(parts)).sum() * 0
