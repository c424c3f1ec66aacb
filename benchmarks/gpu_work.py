"""What ``benchmarks/gpu.py`` times on one model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from gpu_ground import SAE_K, SAE_STEPS, Ground, Noise, Passes
from inputs import LEFT_5
from torch import Tensor

from mibench.artifacts.dictionaries.dictionary import Place
from mibench.core.sites import Site
from mibench.engine.activations.capture import read
from mibench.engine.activations.splice import Splice
from mibench.engine.activations.store import BlockBatch
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import InterchangeOptions, SiteEdit
from mibench.methods.alignment.rotations import orthonormal
from mibench.methods.dictionary_view import DictionaryView
from mibench.methods.method import METHODS
from mibench.tracks.sae.core_sums import SubjectSums, TargetSums

DIRECTIONS = 16


@dataclass(frozen=True)
class Work:
    """One piece.

    Attributes:
        name: For people.
        task: Does it once, telling a counter of passes.
        tokens: Tokens of the data that it goes through.
        operations: Multiplications and additions that it needs besides passes.
    """

    name: str
    task: Callable[[Passes], object]
    tokens: int
    operations: float = 0.0


class DasStep:
    """A step of training a rotation at the last token of a layer, the bases run and kept before.

    Args:
        ground: What is timed on.
    """

    def __init__(self, ground: Ground) -> None:
        model = ground.model
        self._site = Site(ground.shape.n_layers // 2, "last")
        # The layers after the site, at one token: the engine's own counter rounds such parts to whole passes.
        self._share = len(ground.rows) * (1 - (self._site.layer + 1) / ground.shape.n_layers) / ground.tokens
        options = InterchangeOptions(**ground.batching)
        self._runs = Interchanges(model, ground.rows, options)
        (self._batch,) = self._runs.minibatches(len(ground.rows), torch.Generator().manual_seed(0))
        self._runs.sources([self._site])
        drawn = torch.randn(ground.shape.d_model, DIRECTIONS, generator=torch.Generator().manual_seed(0))
        self._weight = drawn.to(model.device, model.accumulate).requires_grad_()
        self._adam = torch.optim.AdamW([self._weight], lr=1e-3, weight_decay=0)
        self._labels = torch.tensor([ground.rows[row].label[0] for row in self._batch.rows], device=model.device)

    def __call__(self, counter: Passes) -> Tensor:
        """Logits, loss, gradient, update."""
        logits = self._batch.logits((SiteEdit(self._site, self._edit),))[:, 0]
        loss = torch.nn.functional.cross_entropy(logits.float(), self._labels)
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        counter.forward(self._share)
        counter.backward(self._share)
        return loss.detach()

    def _edit(self, base: Tensor, source: Tensor) -> Tensor:
        rotation = orthonormal(self._weight)
        return base + (source - base) @ rotation @ rotation.T


def swaps(ground: Ground, counter: Passes) -> object:
    """A full swap at the last token of every layer, one after the other."""
    plans = [(SiteEdit(Site(layer, "last"), lambda _, source: source),) for layer in range(ground.shape.n_layers)]
    options = InterchangeOptions(**ground.batching)
    return Interchanges(ground.model, ground.rows, options, counter).run(plans)


def train_dictionary(ground: Ground, _: Passes) -> object:
    """Some steps of TopK from nothing, so the draw of the weights is in it."""
    method = METHODS.load("topk")
    source = Noise(ground.all_tokens, ground.shape.d_model, ground.model.device)
    view = DictionaryView(Place(ground.shape.name, ground.point), source, device=ground.model.device)
    given = {"width": ground.width, "k": min(SAE_K, ground.width), "batch": ground.all_tokens}
    return method.function(view, **method.parameters(given))


def activations(ground: Ground, counter: Passes) -> Tensor:
    """Activations half-way up."""
    counter.forward(len(ground.pairs) * (ground.point.layer + 1) / ground.shape.n_layers)
    return read(ground.model, ground.ids, [ground.point])[ground.point]


def score_dictionary(ground: Ground, counter: Passes) -> object:
    """An activation pass with the sums of a dictionary."""
    x = activations(ground, counter).to(ground.model.accumulate)
    scored = torch.ones_like(ground.ids, dtype=torch.bool)
    batch = BlockBatch(slice(0, len(x)), ground.ids, scored, x, x)
    context, flat = scored.nonzero()[:, 0], x[scored]
    TargetSums(scored.cpu().numpy(), np.arange(min(16, len(flat))), x.shape[-1], x.device).add(batch, flat, context)
    sums = SubjectSums(ground.coder, len(x))
    sums.add(flat, flat, context)
    return sums


def losses(ground: Ground, counter: Passes) -> object:
    """Losses of the clean run, of a reconstruction and of zero ablation, logits at all positions."""
    after = 1 - (ground.point.layer + 1) / ground.shape.n_layers
    counter.forward(len(ground.pairs) * (1 + 2 * after))
    splice = Splice(ground.model, ground.ids, ground.point)
    with torch.no_grad():
        put = ground.coder.reconstruct(splice.clean.to(ground.model.accumulate)), torch.zeros_like(splice.clean)
    return splice.losses_of(put, torch.ones_like(ground.ids, dtype=torch.bool))


def works(ground: Ground) -> Iterator[Work]:
    """Everything that is timed; the first two are the units."""
    model, pairs, tokens = ground.model, ground.pairs, ground.all_tokens
    batching, d_model, width = ground.batching, ground.shape.d_model, ground.width
    scoring = len(pairs) * ground.shape.score_flops(ground.tokens)
    coding = 2.0 * tokens * d_model * width
    vocabulary = 3 * len(pairs) * 2.0 * ground.shape.head_params * (ground.tokens - 1)

    def eap(alphas: tuple[float, ...]) -> Callable[[Passes], object]:
        return lambda counter: attribute_edges(model, pairs, Attribution(alphas, **batching), counter)

    def curve(n: int) -> Callable[[Passes], object]:
        return lambda counter: evaluate(model, pairs, ground.circuits[10 - n :], Evaluation(**batching), counter)

    yield Work("forward", ground.plain, tokens)
    yield Work("forward and backward", ground.both_ways, tokens)
    yield Work("EAP", eap((1.0,)), tokens, scoring)
    yield Work("EAP-IG-inputs, 5 steps", eap(LEFT_5), tokens, scoring)
    yield Work("both runs, no circuit", curve(0), tokens)
    yield Work("ten circuits and both runs", curve(10), tokens)
    yield Work(f"swap at {ground.shape.n_layers} layers, last token", partial(swaps, ground), tokens)
    yield Work("DAS step, middle layer, last token", _later(lambda: DasStep(ground)), tokens)
    yield Work("activations, half-way up", partial(activations, ground), tokens)
    yield Work("activations and a dictionary's sums", partial(score_dictionary, ground), tokens, 2 * coding)
    yield Work("losses of a dictionary", partial(losses, ground), tokens, 2 * coding + vocabulary)
    yield Work(
        f"TopK training, {SAE_STEPS} steps",
        partial(train_dictionary, ground),
        SAE_STEPS * tokens,
        6 * coding * SAE_STEPS,
    )


def _later(make: Callable[[], Callable[[Passes], object]]) -> Callable[[Passes], object]:
    """Made when it is first called, so that what runs out of memory is this row."""
    made: list[Callable[[Passes], object]] = []

    def call(counter: Passes) -> object:
        if not made:
            made.append(make())
        return made[0](counter)

    return call
