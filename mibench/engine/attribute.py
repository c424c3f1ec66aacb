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
from torch import Tensor, nn

from mibench.engine.base import Base, Constants, base_of_constants, base_of_run
from mibench.engine.batches import PairBatch, batches, n_batches
from mibench.engine.folded import centre, inverse_norm, norm_jvp
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


@dataclass
class _Gradients:
    """Step means of gradients, flat over tokens; one entry a layer, but for ``final``."""

    slots: list[Tensor]
    """r · gradient at q, k, v, summed over steps, ``[3 n_heads, tokens, head_dim]``."""
    streams: list[list[Tensor]]
    """Centred residual streams before attention, ``[tokens, d_model]`` a step."""
    pulls: list[list[Tensor]]
    """What the norm's own derivative takes of them, ``[tokens, 3 n_heads]`` a step."""
    mlp: list[Tensor]
    final: Tensor

    @classmethod
    def zeros(cls, model: LanguageModel, n_tokens: int) -> _Gradients:
        """Sums of no step."""
        anatomy = model.anatomy
        layers = range(anatomy.n_layers)
        stream = torch.zeros(n_tokens, anatomy.d_model, device=model.device, dtype=model.dtype)
        slots = stream.new_zeros(3 * anatomy.n_heads, n_tokens, anatomy.head_dim)
        return cls(
            slots=[slots.clone() for _ in layers],
            streams=[[] for _ in layers],
            pulls=[[] for _ in layers],
            mlp=[stream.clone() for _ in layers],
            final=stream.clone(),
        )


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
    deltas = _Deltas(model, line.base, line.clean, options)
    scores = torch.zeros(model.graph.shape, dtype=torch.float64)
    gradients = _Gradients.zeros(model, deltas.n_tokens)
    for alpha in options.alphas:
        run = line.run(alpha)
        counter.backward(len(batch))
        _add_step(model, gradients, run, batch.metric(run.logits).sum())
        if deltas.by_step:
            scores += _score(model, deltas.through_norms(run), gradients, options)
            gradients = _Gradients.zeros(model, deltas.n_tokens)
    if not deltas.by_step:
        scores += _score(model, deltas, gradients, options)
    return scores / len(options.alphas)


def _add_step(model: LanguageModel, gradients: _Gradients, run: Run, metric: Tensor) -> None:
    """Take the gradient of ``metric`` in ``run`` and add it to the sums."""
    wanted = [*run.projected, *run.before_mlp, run.final]
    found = torch.autograd.grad(metric, wanted)
    n_projected, n_layers = len(run.projected), model.anatomy.n_layers
    with torch.no_grad():
        gradients.final += found[-1].flatten(0, 1)
        for layer in range(n_layers):
            gradients.mlp[layer] += found[n_projected + layer].flatten(0, 1)
            slots = run.slots(layer, list(found[:n_projected]))
            _add_slots(model, layer, gradients, run, slots)


def _add_slots(
    model: LanguageModel, layer: int, gradients: _Gradients, run: Run, slots: tuple[Tensor, Tensor, Tensor]
) -> None:
    folded = model.folded[layer]
    stream = run.before_attn[layer].detach().flatten(0, 1)
    r = inverse_norm(stream, folded.norm)
    biases = folded.bias[folded.index]
    pulls = []
    heads = model.anatomy.n_heads
    for place, (gradient, value) in enumerate(zip(slots, run.slots(layer), strict=True)):
        g = gradient.flatten(0, 1)
        gradients.slots[layer][place * heads : (place + 1) * heads] += (g * r[:, None, None]).transpose(0, 1)
        along = ((value.detach().flatten(0, 1) - biases[place]) * g).sum(-1)
        pulls.append(along * (r.square() / model.anatomy.d_model)[:, None])
    gradients.streams[layer].append(centre(stream, folded.norm))
    gradients.pulls[layer].append(torch.cat(pulls, dim=1))


class _Deltas:
    """Ablated minus clean output of every source, built for a chunk of tokens at a time."""

    def __init__(self, model: LanguageModel, base: Base, clean: Run, options: Attribution) -> None:
        layers = range(model.anatomy.n_layers)
        self._model = model
        self._clean_attn = [part.detach().flatten(0, 1) for part in clean.attn]
        with torch.no_grad():
            self._embedded = (base.embedded - clean.embedded).detach().flatten(0, 1)
            self._heads = [(base.heads[i] - clean.heads_of(i)).detach().flatten(0, 1) for i in layers]
            self._mlp = [(base.mlp[i] - clean.mlp[i]).detach().flatten(0, 1) for i in layers]
        self.by_step = bool(clean.attn) and options.post_norm == "linearised"
        self._streams: list[Tensor] = []

    @property
    def n_tokens(self) -> int:
        """Tokens in all."""
        return self._embedded.shape[0]

    def through_norms(self, run: Run) -> _Deltas:
        """The same differences, those of heads carried through the post-norms as linearised at ``run``."""
        self._streams = [part.detach().flatten(0, 1) for part in run.attn]
        return self

    def chunk(self, tokens: slice) -> Tensor:
        """Differences ``[n_sources, tokens, d_model]`` of some tokens."""
        graph, anatomy = self._model.graph, self._model.anatomy
        embedded = self._embedded[tokens]
        out = embedded.new_empty(graph.n_sources, *embedded.shape)
        out[0] = embedded
        for layer in range(anatomy.n_layers):
            rows = slice(graph.head_row(layer, 0), graph.mlp_row(layer))
            torch.bmm(self._heads[layer][tokens].transpose(0, 1), self._model.out_weights[layer], out=out[rows])
            if self._streams:
                norm = anatomy.norm(_some(anatomy.blocks[layer].post_attn))
                out[rows] = norm_jvp(out[rows], self._streams[layer][tokens], norm)
            out[graph.mlp_row(layer)] = self._mlp[layer][tokens]
        return out


@torch.no_grad()
def _score(model: LanguageModel, deltas: _Deltas, gradients: _Gradients, options: Attribution) -> Tensor:
    """Products of source differences and destination gradients, ``[n_sources, n_destinations]`` float64."""
    graph, n_layers = model.graph, model.anatomy.n_layers
    scores = torch.zeros(graph.shape, dtype=torch.float64)
    for start in range(0, deltas.n_tokens, options.chunk_tokens):
        tokens = slice(start, start + options.chunk_tokens)
        delta = deltas.chunk(tokens).flatten(1)
        for first in range(0, n_layers, LAYERS_AT_ONCE):
            last = min(first + LAYERS_AT_ONCE, n_layers)
            incoming = torch.cat([_incoming(model, layer, gradients, tokens) for layer in range(first, last)])
            rows, columns = (
                graph.mlp_row(last - 1),
                slice(graph.layer_column(first), graph.mlp_column(last - 1) + 1),
            )
            scores[:rows, columns] += (delta[:rows] @ incoming.flatten(1).T).double().cpu()
        scores[:, -1] += (delta @ gradients.final[tokens].flatten()).double().cpu()
    return scores


def _incoming(model: LanguageModel, layer: int, gradients: _Gradients, tokens: slice) -> Tensor:
    """Gradients at a layer's destinations, ``[3 n_heads + 1, tokens, d_model]``."""
    folded, slots = model.folded[layer], gradients.slots[layer][:, tokens]
    out = slots.new_empty(slots.shape[0] + 1, slots.shape[1], model.anatomy.d_model)
    torch.bmm(slots, folded.weight[folded.index.flatten()], out=out[:-1])
    pulls = torch.stack([pull[tokens] for pull in gradients.pulls[layer]], dim=2)
    streams = torch.stack([stream[tokens] for stream in gradients.streams[layer]], dim=1)
    out[:-1] -= (pulls @ streams).transpose(0, 1)
    out[-1] = gradients.mlp[layer][tokens]
    return out


def _some(module: nn.Module | None) -> nn.Module:
    if module is None:
        raise ValueError
    return module
