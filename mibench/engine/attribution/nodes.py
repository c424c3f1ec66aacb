"""Attribution patching of every node, or of every neuron of a node's output, at once.

The score of a node u is (Nanda 2023; Syed et al. 2023)

    − Σ over examples, positions, d_model of (ablated_u − clean_u) · mean over steps of ∂ metric / ∂ output_u,

divided by the number of examples: positive when the node helps the metric. Neurons are the entries of that product
before it is summed over d_model. A head's output is z W_O in the residual stream's basis, and its gradient is that
at the sum of all heads, before a norm after attention (Gemma 2): autograd carries it through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mibench.engine.attribution.deltas import Deltas
from mibench.engine.attribution.edges import Attribution, Line
from mibench.engine.batches import PairBatch
from mibench.engine.meter import NoCounter, PassCounter, Progress, no_progress
from mibench.engine.model import LanguageModel
from mibench.engine.rules import backward_rules
from mibench.engine.run import Run
from mibench.tasks.encode import EncodedPair


def attribute_nodes(
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    options: Attribution,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
    *,
    neurons: bool,
) -> NDArray[np.float64]:
    """Score every node or neuron.

    Args:
        model: The model.
        pairs: Discovery pairs.
        options: How to attribute; ``post_norm`` is without effect.
        counter: Told of every pass.
        progress: Told of every batch.
        neurons: Score every neuron by itself.

    Returns:
        Scores ``[n_sources]``, or ``[n_sources, d_model]`` of neurons, in metric units. The order of the pairs and
        the batch size change only rounding.
    """
    found = _Nodes(model, options, counter or NoCounter(), _outputs).scores(pairs, progress)
    return found if neurons else found.sum(axis=1)


def attribute_nodes_like_eap_ig(
    model: LanguageModel,
    pairs: Sequence[EncodedPair],
    options: Attribution,
    counter: PassCounter | None = None,
    progress: Progress = no_progress,
    *,
    neurons: bool,
) -> NDArray[np.float64]:
    """What the EAP-IG package gives for ``attribute_nodes``: an MLP's change times the gradient at its *input*."""
    found = _Nodes(model, options, counter or NoCounter(), _outputs_and_mlp_inputs).scores(pairs, progress)
    return found if neurons else found.sum(axis=1)


def _outputs(run: Run) -> list[Tensor]:
    """Outputs of the embedding, then of attention and MLP of each layer, ``[batch, pos, d_model]``."""
    return [run.embedded, *(part for layer in zip(run.attn_out, run.mlp, strict=True) for part in layer)]


def _outputs_and_mlp_inputs(run: Run) -> list[Tensor]:
    return [run.embedded, *(part for layer in zip(run.attn_out, run.before_mlp, strict=True) for part in layer)]


@dataclass(frozen=True)
class _Nodes:
    """Attribution of neurons from gradients at ``targets``, one for the input and two a layer."""

    model: LanguageModel
    options: Attribution
    counter: PassCounter
    targets: Callable[[Run], list[Tensor]]

    def scores(self, pairs: Sequence[EncodedPair], progress: Progress) -> NDArray[np.float64]:
        """Scores ``[n_sources, d_model]``."""
        total, sums = self.options.n_batches(pairs), self._zeros()
        for done, batch in enumerate(self.options.batches(pairs, self.model.device)):
            with backward_rules(self.model, self.options.rules):
                sums += self._batch(batch)
            progress(done + 1, total)
        return -sums.numpy() / len(pairs)

    def _batch(self, batch: PairBatch) -> Tensor:
        line = Line(self.model, batch, self.options, self.counter)
        gradients: list[Tensor] = []
        for point in line.points:
            run = line.run(point)
            self.counter.backward(len(batch))
            found = torch.autograd.grad(batch.metric(run.logits).sum(), self.targets(run))
            flat = [gradient.flatten(0, 1).to(self.model.accumulate) for gradient in found]
            gradients = [one + other for one, other in zip(gradients, flat, strict=True)] if gradients else flat
        deltas, sums = Deltas(self.model, line.base, line.clean), self._zeros()
        for start in range(0, deltas.n_tokens, self.options.chunk_tokens):
            tokens = slice(start, start + self.options.chunk_tokens)
            sums += self._products(deltas.at(tokens), [gradient[tokens] for gradient in gradients])
        return sums / len(line.points)

    @torch.no_grad()
    def _products(self, delta: Tensor, gradients: list[Tensor]) -> Tensor:
        """Products summed over tokens, ``[n_sources, d_model]`` float64; the heads of a layer share its gradient."""
        sizes = [1, *[self.model.graph.n_heads, 1] * self.model.graph.n_layers]
        groups = zip(torch.split(delta, sizes), gradients, strict=True)
        products = [(change * gradient.to(change.device)).sum(1) for change, gradient in groups]
        return torch.cat(products).cpu().double()

    def _zeros(self) -> Tensor:
        return torch.zeros(self.model.graph.n_sources, self.model.anatomy.d_model, dtype=torch.float64)
