"""Sums of heads behind a norm against norms of sums, one at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from naive import NaiveModel
from subjects import Subject, make_pairs, random_edges
from tiny_models import tiny_model

from mibench.engine.base import prepare
from mibench.engine.batches import batches
from mibench.engine.circuits.circuit_pass import circuit_logits
from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.circuits.post_norm import PostNorm
from mibench.engine.memory import LiveBytes
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import prune

EXACT = 1e-12
DEEP = {"num_hidden_layers": 8, "layer_types": ["sliding_attention", "full_attention"] * 4}


def _subject() -> Subject:
    hf = tiny_model("gemma2", **DEEP)
    return Subject(LanguageModel(hf), NaiveModel(hf))


def test_sparse_circuits_of_many_layers_equal_naive_ones() -> None:
    """Layers without an MLP, layers whose heads the next one does not read, groups of layers with little in them."""
    one, pairs = _subject(), make_pairs()[:2]
    graph = one.engine.graph
    circuits = [prune(graph, random_edges(one, share, seed)) for share in (0.04, 0.08, 0.2) for seed in range(6)]
    assert sum(not circuit.is_empty for circuit in circuits) > 12
    found = evaluate(one.engine, pairs, circuits, Evaluation(batch_size=1)).circuits
    for circuit, values in zip(circuits, found, strict=True):
        edges = torch.from_numpy(circuit.real_edges)
        expected = [one.naive.circuit(pair, edges, None, None) for pair in pairs]
        assert np.abs(values - expected).max() < EXACT


@pytest.mark.parametrize(("dtype", "error"), [(torch.float64, 1e-11), (torch.float32, 1e-5), (torch.bfloat16, 1e-5)])
def test_sums_are_norms_of_sums_even_where_heads_cancel(dtype: torch.dtype, error: float) -> None:
    model = LanguageModel(tiny_model("gemma2", dtype))
    norm, module = PostNorm(model, 1), model.anatomy.blocks[1].post_attn
    assert module is not None
    parts = torch.randn(5, 4, model.anatomy.d_model, generator=torch.Generator().manual_seed(0)).to(model.accumulate)
    parts[:, 1] *= 100
    parts[:, 2] -= parts[:, 1]
    sums = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]], dtype=model.accumulate)
    inverse = norm.inverse(norm.products(parts), sums.T).to(parts)
    found = torch.einsum("tn,nk,tkd->ntd", inverse, sums, norm.scaled(parts))
    expected = torch.stack([module((row[:, None] * parts).sum(1)) for row in sums])
    assert (found - expected).abs().max() < error * expected.abs().max()
    nothing = torch.eye(4, 1)
    start = norm.inverse(norm.products(parts), nothing)
    assert (norm.inverse(norm.products(parts), torch.cat([nothing, sums.T], 1))[:, :1] == start).all()


def test_streams_take_no_more_memory_than_is_forecast() -> None:
    """A number for each source, seven for each destination of a layer, a token and entry of the stream."""
    one = LanguageModel(tiny_model("gemma2", hidden_size=96, **DEEP))
    graph, pairs = one.graph, [pair for pair in make_pairs() if pair.length == 10] * 16
    kept = (np.random.default_rng(0).random(graph.shape) < 0.9) & graph.real_mask
    circuit, batch = prune(graph, kept), next(iter(batches(pairs, len(pairs))))
    with torch.no_grad():
        sides = prepare(one, batch, None)
        with LiveBytes() as live:
            circuit_logits(one, sides, circuit)
            start = live.peak = live.now
            circuit_logits(one, sides, circuit)
    tokens = sides.base.embedded.shape[:2].numel()
    slots = 9 * graph.n_heads * one.anatomy.head_dim
    rows = graph.n_sources + 7 * (3 * graph.n_heads + 1)
    assert (live.peak - start) / (tokens * 8) < rows * one.anatomy.d_model + slots
