"""Everything that the engine does with a model, once and small: to compare the same model in different places."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hooked import HEAD, MLP, made_rows, one
from subjects import make_pairs
from tiny_models import VOCAB
from torch import Tensor

from mibench.core.hook_points import HookKind, HookPoint
from mibench.core.specs import Ablation, Level
from mibench.engine.activations.capture import read
from mibench.engine.activations.splice import Splice
from mibench.engine.attribution.activations import attribute_activations
from mibench.engine.attribution.atp_star import AtpStar, attribute_star
from mibench.engine.attribution.edges import Attribution, attribute_edges
from mibench.engine.attribution.flow import information_flow
from mibench.engine.attribution.nodes import attribute_nodes
from mibench.engine.base import constants_for, prepare
from mibench.engine.batches import batches
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.circuits.remove_edges import Removal, remove_each
from mibench.engine.circuits.soft_pass import SoftMask, soft_logits
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.model import LanguageModel
from mibench.engine.rules import BackwardRules
from mibench.engine.run import forward
from mibench.graph.circuit import Circuit, prune

LEFT_3 = (0.0, 1 / 3, 2 / 3)
WORK: dict[str, Any] = {}


def _work(function: Any) -> Any:
    WORK[function.__name__.strip("_")] = function
    return function


def _np(*tensors: Any) -> list[np.ndarray]:
    return [each.detach().cpu().double().numpy() if isinstance(each, Tensor) else np.asarray(each) for each in tensors]


@_work
def _plain_run(model: LanguageModel) -> list[np.ndarray]:
    batch = next(batches(make_pairs(), 4, model.device))
    run = forward(model, model.anatomy.embed(batch.clean), None, last=batch.last)
    return _np(run.embedded, *run.before_attn, *run.before_mlp, run.final, *run.heads, *run.mlp, run.logits)


@_work
def _attribution_of_edges(model: LanguageModel) -> list[np.ndarray]:
    pairs = make_pairs()
    zero = constants_for(model, Ablation.ZERO, pairs, 4)
    mean = constants_for(model, Ablation.MEAN_POSITIONAL, pairs, 4)
    rules = BackwardRules(frozen_norms=True, query=0.5, gated=0.5)
    made = [Attribution(), Attribution(LEFT_3), Attribution(constants=zero), Attribution(LEFT_3, constants=mean)]
    return [attribute_edges(model, pairs, each) for each in (*made, Attribution(rules=rules))]


@_work
def _attribution_of_activations(model: LanguageModel) -> list[np.ndarray]:
    return [attribute_activations(model, make_pairs()[:2], Attribution(LEFT_3))]


@_work
def _attribution_of_nodes(model: LanguageModel) -> list[np.ndarray]:
    found = [attribute_nodes(model, make_pairs(), Attribution(LEFT_3), neurons=True)]
    found += [attribute_star(model, make_pairs()[:2], level, AtpStar()) for level in (Level.EDGE, Level.NODE)]
    return [*found, information_flow(model, make_pairs(), Attribution())]


@_work
def _circuits(model: LanguageModel) -> list[np.ndarray]:
    graph, pairs = model.graph, make_pairs()
    chosen = [np.random.default_rng(seed).random(graph.shape) < 0.5 for seed in range(2)]
    circuits = [prune(graph, edges & graph.real_mask) for edges in chosen] + [Circuit(graph, graph.real_mask)]
    found = []
    for ablation in (Ablation.COUNTERFACTUAL, Ablation.MEAN):
        options = Evaluation(constants=constants_for(model, ablation, pairs, 4), shortcuts=False)
        outcome = evaluate(model, pairs, circuits, options)
        found += [outcome.clean, outcome.empty, outcome.circuits, outcome.kl]
    return [*found, remove_each(model, pairs[:1], Level.EDGE, Removal()), *_masks(model)]


def _masks(model: LanguageModel) -> list[np.ndarray]:
    batch, found = next(batches(make_pairs(), 4, model.device)), []
    sides = prepare(model, batch, None)
    for level, shape in ((Level.EDGE, model.graph.shape), (Level.NODE, model.graph.shape[:1])):
        mask = torch.linspace(0, 1, int(np.prod(shape)), dtype=torch.float64).view(shape).requires_grad_()
        logits = soft_logits(model, sides, SoftMask(level, mask))
        found += [*torch.autograd.grad(logits.square().sum(), mask), logits]
    return _np(*found)


@_work
def _interchanges(model: LanguageModel) -> list[np.ndarray]:
    rows = made_rows()
    found = Interchanges(model, rows).run([one(0, "last"), one(1, "span", HEAD, 1), one(1, "middle", MLP), ()])
    return [found.correct, found.label_logprob, found.contrast, *_alignment_step(model)]


def _alignment_step(model: LanguageModel) -> list[np.ndarray]:
    """Gradients of a rotation, and activations that methods fit, as they are found where inputs go."""
    numbers = torch.randn(16, 3, generator=torch.Generator().manual_seed(1)).to(model.accumulate)
    weight = numbers.to(model.device).requires_grad_()

    def rotated(base: Tensor, source: Tensor) -> Tensor:
        rotation = weight[: base.shape[-1]] * 0.3
        return base + (source - base) @ rotation @ rotation.mT

    every, rows = Interchanges(model, made_rows()), made_rows()
    intervention = one(0, "last", edit=rotated) + one(1, "middle", edit=rotated)
    (batch,) = every.minibatches(len(rows), torch.Generator().manual_seed(0))
    logits = batch.logits(intervention)
    (gradient,) = torch.autograd.grad(logits.square().sum(), weight)
    return _np(logits, gradient, *every.bases([edit.site for edit in one(1, "last")]).values())


@_work
def _activations(model: LanguageModel) -> list[np.ndarray]:
    ids = torch.randint(0, VOCAB, (2, 6), generator=torch.Generator().manual_seed(0)).to(model.device)
    points = [HookPoint(layer, kind) for layer in (0, 1) for kind in HookKind]
    found = _np(*(value for _, value in sorted(read(model, ids, points).items())))
    for point in points:
        splice = Splice(model, ids, point)
        where = torch.arange(6, device=model.device).expand(2, 6) % 2 == 0
        losses = splice.losses(splice.clean * 0.5, where)
        found += _np(losses.ce, losses.kl, splice.clean_ce)
    return found


def same(found: list[np.ndarray], expected: list[np.ndarray], tolerance: float) -> None:
    """Assert that two lists of arrays agree, relative to the largest number of each."""
    for one_found, one_expected in zip(found, expected, strict=True):
        size = max(1.0, float(np.abs(np.nan_to_num(one_expected.astype(float))).max()))
        np.testing.assert_allclose(one_found, one_expected, rtol=0, atol=tolerance * size)
