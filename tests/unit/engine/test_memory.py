"""Counting bytes, and what attribution and evaluation of an 8B model take without one being there."""

from __future__ import annotations

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import PreTrainedModel

from benchmarks.shapes import SHAPES
from mibench.engine.attribution.edges import Attribution, edge_products
from mibench.engine.base import prepare
from mibench.engine.batches import PairBatch
from mibench.engine.circuits.circuit_pass import circuit_logits
from mibench.engine.memory import LiveBytes, device_peak, start_peak
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import prune
from mibench.tasks.encode import EncodedPair

MIB = 2**20
CARD = 80e9


class TestLiveBytes:
    def test_tensors_count_while_they_live_and_views_do_not(self) -> None:
        with LiveBytes() as live:
            one = torch.zeros(MIB // 4)
            assert live.now == MIB
            view = one.view(2, -1)[0]
            other = one + 1
            assert (live.now, live.peak) == (2 * MIB, 2 * MIB)
            del one, other
            gc.collect()
            assert (live.now, live.peak) == (MIB, 2 * MIB)
            del view
            gc.collect()
            assert (live.now, live.peak) == (0, 2 * MIB)

    def test_what_autograd_keeps_counts(self) -> None:
        start = torch.ones(MIB // 4, requires_grad=True)
        with LiveBytes() as live:
            end = (start * 2).sin().sum()
            assert MIB <= live.now < MIB + 64
            end.backward()  # type: ignore[no-untyped-call]
            gc.collect()
            assert MIB <= live.now < MIB + 64  # the gradient, in place of what was kept
        assert start.grad is not None

    def test_tensors_made_before_count_when_they_are_named(self) -> None:
        weight = torch.zeros(MIB // 4)
        with LiveBytes() as live:
            live.count([weight, weight[:1], None])
            assert live.now == MIB

    def test_tensors_without_numbers_count_as_if_they_had_them(self) -> None:
        with FakeTensorMode(), LiveBytes() as live:
            huge = torch.empty(10**12)
            assert (huge.numel(), live.now) == (10**12, 4 * 10**12)


def test_a_device_without_memory_of_its_own_has_no_peak() -> None:
    start_peak([torch.device("cpu")])
    assert device_peak([torch.device("cpu")]) is None


def llama(n_layers: int) -> PreTrainedModel:
    """A model of the shape of Llama-3.1-8B, or of its first layers."""
    shape = SHAPES["llama-3.1-8b"]
    config = type(shape.config)(**shape.config.to_dict() | {"num_hidden_layers": n_layers})
    return replace(shape, config=config).model("cpu", torch.bfloat16)


def pairs(size: int, length: int) -> PairBatch:
    """Pairs that differ everywhere."""
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 1000, (size, length)))
    made = tuple(EncodedPair(str(row), (0,), (1,), (1,), (2,)) for row in range(size))
    return PairBatch(tuple(range(size)), ids, ids + 1, made, 0, torch.full((size,), length - 1))


def peaks(n_layers: int, batch: PairBatch) -> tuple[int, int, int]:
    """Bytes of the model, and the peaks of EAP-IG with 5 steps and of half of the edges as a circuit."""
    hf = llama(n_layers)
    model = LanguageModel(hf)
    with LiveBytes() as live:
        live.count([*hf.parameters(), *hf.buffers()])
        list(model.folded), list(model.out_weights)
        own, live.peak = live.now, live.now
        edge_products(model, batch, Attribution((0.0, 0.2, 0.4, 0.6, 0.8))).total()
        attribution, live.peak = live.peak, live.now
        sides, graph = prepare(model, batch, None), model.graph
        edges = np.random.default_rng(0).random(graph.shape) < 0.5
        with torch.no_grad():
            circuit_logits(model, sides, prune(graph, edges & graph.real_mask))
        return own, attribution, live.peak


@pytest.mark.slow
@pytest.mark.parametrize("length", [20, 64])
def test_llama_8b_fits_a_card_of_80_gb_at_batch_8(length: int) -> None:
    with FakeTensorMode(allow_non_fake_inputs=True):
        own, attribution, evaluation = peaks(32, pairs(8, length))
    assert 21e9 < own < 22e9
    assert own < attribution < CARD / 2
    assert own < evaluation < CARD / 2


def test_memory_of_a_layer_does_not_creep_up() -> None:
    """What two layers of that shape take at 8 × 64 tokens, measured when it was written, and a tenth."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        own, attribution, evaluation = peaks(2, pairs(8, 64))
    assert attribution - own < 1.1 * 1.72e9
    assert evaluation - own < 1.1 * 1.49e9
