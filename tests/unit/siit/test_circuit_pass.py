"""Passes along the true edges against the engine's circuits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from siit_networks import SIZES, ids, in_transformers, network

from mibench.engine.circuits.evaluate import Evaluation, evaluate
from mibench.engine.model import LanguageModel
from mibench.graph.circuit import Circuit
from mibench.siit.alignment import Flow, edges_between
from mibench.siit.circuit_pass import circuit_logits
from mibench.tasks.encode import EncodedPair

SOURCES = SIZES.graph.source_names
NODES = [*SOURCES[1:], "logits"]
ALL = tuple(
    (source, node)
    for source in SOURCES
    for node in NODES
    if SIZES.graph.real_mask[
        SIZES.graph.source_index(source),
        SIZES.graph.destination_index(edges_between((source, node))[0][len(source) + 2 :]),
    ]
)
SOME = (("input", "a0.h1"), ("a0.h1", "m0"), ("input", "a1.h0"), ("m0", "a1.h0"), ("a1.h0", "m2"), ("m2", "logits"))


@pytest.mark.parametrize("flows", [SOME, ALL[::3], ALL[1::2]])
def test_true_edges_give_what_the_engine_gives(flows: tuple[Flow, ...]) -> None:
    found, prompts, others = network(), ids(4), ids(4, seed=1)
    logits = circuit_logits(found, flows, found.run(prompts), found.run(others))
    mask = np.zeros(SIZES.graph.shape, dtype=np.bool_)
    for flow in flows:
        for edge in edges_between(flow):
            mask[SIZES.graph.edge_index(edge)] = True
    pairs = [
        EncodedPair(str(row), tuple(clean.tolist()), tuple(other.tolist()), (3,), (5,))
        for row, (clean, other) in enumerate(zip(prompts, others, strict=True))
    ]
    model = LanguageModel(in_transformers(found))
    expected = evaluate(model, pairs, [Circuit(SIZES.graph, mask)], Evaluation()).circuits[0]
    assert np.allclose((logits[:, 3] - logits[:, 5]).detach().numpy(), expected, atol=1e-9)


def test_every_row_has_its_own_edges() -> None:
    found = network()
    clean, other = found.run(ids(2)), found.run(ids(2, seed=1))
    kept = torch.tensor([[True] * len(SOME), [True, False] * (len(SOME) // 2)])
    got = circuit_logits(found, SOME, clean, other, kept)
    assert torch.allclose(got[0], circuit_logits(found, SOME, clean, other)[0], atol=1e-12)
    assert torch.allclose(got[1], circuit_logits(found, SOME[::2], clean, other)[1], atol=1e-12)


def test_all_edges_give_the_model_and_none_the_other_prompt() -> None:
    found = network()
    clean, other = found.run(ids(3)), found.run(ids(3, seed=1))
    assert torch.allclose(circuit_logits(found, ALL, clean, other), found.answer(clean), atol=1e-9)
    assert torch.equal(circuit_logits(found, (), clean, other), found.answer(other))


def test_rows_of_a_run_are_the_run_of_the_rows() -> None:
    found, prompts, rows = network(), ids(3), torch.tensor([2, 0, 2])
    chosen, expected = found.run(prompts).rows(rows), found.run(prompts[rows])
    assert torch.allclose(chosen.final, expected.final)
    assert torch.allclose(chosen.mlp[1], expected.mlp[1])
    assert torch.allclose(chosen.heads[2], expected.heads[2])
