"""16-bit weights: results within the error of 16-bit forward passes, and sums in float32 or wider."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from subjects import make_pairs
from tiny_models import tiny_model

from mibench.core.specs import Ablation, Level
from mibench.engine.attribution.edges import Attribution, attribute_edges, attribute_examples
from mibench.engine.attribution.nodes import attribute_nodes
from mibench.engine.base import constants_for, prepare
from mibench.engine.batches import Batching, batches
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.circuits.soft_pass import SoftMask, soft_logits
from mibench.engine.interchange.objective import Objective
from mibench.engine.model import LanguageModel
from mibench.engine.run import forward
from mibench.graph.circuit import prune
from mibench.tasks.encode import EncodedPair

FAMILIES = ("llama", "gpt2", "gemma2")
HALVES = (torch.bfloat16, torch.float16)
UNIT = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}
"""Half the distance between neighbours, relative to a number."""


def both(name: str, dtype: torch.dtype) -> tuple[LanguageModel, LanguageModel]:
    """The same weights, in 16 bits and widened."""
    return LanguageModel(tiny_model(name, dtype)), LanguageModel(tiny_model(name, dtype).to(torch.float32))


def many(count: int) -> list[EncodedPair]:
    """One pair, over and over."""
    pair = make_pairs()[1]
    return [EncodedPair(f"{pair.id}-{row}", pair.clean, pair.counterfactual, (1,), (2,)) for row in range(count)]


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", FAMILIES)
def test_attribution_is_within_the_error_of_the_passes(name: str, dtype: torch.dtype) -> None:
    narrow, wide = both(name, dtype)
    for options in (Attribution(), Attribution((0.0, 0.25, 0.5, 0.75))):
        found, expected = (attribute_edges(model, make_pairs(), options) for model in (narrow, wide))
        assert np.abs(found - expected).max() <= 32 * UNIT[dtype] * np.abs(expected).max()


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", FAMILIES)
def test_circuits_are_within_the_error_of_plain_passes(name: str, dtype: torch.dtype) -> None:
    (narrow, wide), pairs = both(name, dtype), make_pairs()
    graph = wide.graph
    circuit = prune(graph, (np.random.default_rng(0).random(graph.shape) < 0.5) & graph.real_mask)
    found, expected = (evaluate(model, pairs, [circuit], Evaluation()) for model in (narrow, wide))
    plain = max(np.abs(found.clean - expected.clean).max(), np.abs(found.empty - expected.empty).max())
    assert 0 < plain < 40 * UNIT[dtype] * np.abs(expected.clean).max()
    assert np.abs(found.circuits - expected.circuits).max() <= 4 * plain


@pytest.mark.parametrize("dtype", HALVES)
def test_sums_over_ten_thousand_tokens_lose_nothing(dtype: torch.dtype) -> None:
    """In 16 bits a sum stands still once it is 256 (2048) times what is added: it would reach a fortieth (a fifth)."""
    model, pairs = LanguageModel(tiny_model("llama", dtype)), many(1500)
    options = Attribution(batch_size=1500, batch_tokens=20_000, chunk_tokens=20_000)
    assert sum(pair.length for pair in pairs) > 10_000
    assert options.n_batches(pairs) == 1
    each = np.mean([scores for _, scores in attribute_examples(model, pairs, options)], axis=0)
    size = np.abs(each).max()
    assert np.abs(attribute_edges(model, pairs, options) - each).max() < 1e-4 * size
    nodes = attribute_nodes(model, pairs, options, neurons=False)
    few = attribute_nodes(model, pairs[:16], Attribution(batch_size=1), neurons=False)
    assert np.abs(nodes - few).max() < 8 * UNIT[dtype] * np.abs(few).max()


@pytest.mark.parametrize("dtype", HALVES)
def test_means_over_ten_thousand_tokens_lose_nothing(dtype: torch.dtype) -> None:
    model, pairs = LanguageModel(tiny_model("llama", dtype)), many(1500)
    found = constants_for(model, Ablation.MEAN, pairs, 1500)
    batch = next(batches(pairs[:1], 1, model.device))
    run = forward(model, model.anatomy.embed(batch.counterfactual), None)
    assert found is not None
    for mean, one in zip(found.mlp, run.mlp, strict=True):
        expected = one.double().mean((0, 1))
        assert float((mean[0].double() - expected).abs().max()) < 8 * UNIT[dtype] * float(one.abs().max())
    assert {part.dtype for part in (found.embedded, *found.heads, *found.mlp)} == {torch.float32}


@pytest.mark.parametrize("level", [Level.EDGE, Level.NODE])
def test_masks_sum_sources_in_float32(level: Level) -> None:
    narrow, wide = both("llama", torch.bfloat16)
    shape = narrow.graph.shape if level is Level.EDGE else narrow.graph.shape[:1]
    found = []
    for model in (narrow, wide):
        mask = torch.full(shape, 0.5, requires_grad=True)
        batch = next(Batching(padded=True).batches(make_pairs(), model.device))
        logits = soft_logits(model, prepare(model, batch, None), SoftMask(level, mask))
        found.append(torch.autograd.grad(batch.metric(logits).sum(), mask)[0])
    assert {part.dtype for part in found} == {torch.float32}
    assert float((found[0] - found[1]).abs().max()) < 16 * UNIT[torch.bfloat16] * float(found[1].abs().max())


@pytest.mark.parametrize("metric", ["logit_diff", "prob_diff"])
def test_metrics_are_taken_of_widened_logits(metric: str) -> None:
    (pair,) = make_pairs(metric)[:1]
    batch = next(batches([pair], 1, "cpu"))
    logits = torch.linspace(20, 21, 41)[None].to(torch.bfloat16)
    expected = batch.metric(logits.double())
    torch.testing.assert_close(batch.metric(logits).double(), expected, rtol=0, atol=1e-6)


def test_linear_targets_are_compared_in_float32() -> None:
    row: Any = SimpleNamespace(target=SimpleNamespace(tokens=(0, 1), signs=(1.0,)))
    logits = torch.tensor([[[2.0, 1.0]]]).to(torch.bfloat16)
    found = Objective((0.0, 0.9)).losses(logits, [row])
    assert float(found) == pytest.approx(0.01, rel=1e-5)


@pytest.mark.parametrize("dtype", HALVES)
def test_norms_have_the_scale_that_their_modules_use(dtype: torch.dtype) -> None:
    """Gemma adds 1 to its weights in float32; in 16 bits the sum would lose their last digits."""
    narrow, wide = both("gemma2", dtype)
    module, widened = narrow.anatomy.blocks[1].norm1, wide.anatomy.blocks[1].norm1
    scale = narrow.anatomy.norm(module).scale
    assert torch.equal(scale, wide.anatomy.norm(widened).scale)
    assert not torch.equal(scale, scale.to(dtype).float())
    assert torch.equal(narrow.folded[1].weight, wide.folded[1].weight)
