"""The small GPT-2 against transformers, with and without swaps."""

from __future__ import annotations

import pytest
import torch
from siit_networks import SIZES, ids, in_transformers, naive_swap, network

from mibench.siit.alignment import Alignment
from mibench.siit.network import Network, Swap
from mibench.tasks.causal.model import CausalModel, Variable

PLACES = Alignment(CausalModel("x", (Variable("x"),), output="x"), SIZES.graph, {"x": ("m0",)}).places


def test_logits_are_those_of_transformers() -> None:
    found = network()
    expected = in_transformers(found)(input_ids=ids(5)).logits[:, -1]
    assert torch.allclose(found.answer(found.run(ids(5))), expected, atol=1e-10)


@pytest.mark.parametrize("nodes", [("a1.h0",), ("m1",), ("a0.h1", "a0.h0"), ("a0.h1", "m0", "a2.h0", "m2")])
def test_a_swap_puts_nodes_of_the_source_in(nodes: tuple[str, ...]) -> None:
    found, prompts = network(), ids(4)
    plain = found.run(prompts)
    rows = torch.tensor([2, 3, 0, 1])
    swapped = found.answer(found.run(prompts, Swap(plain, rows, PLACES(nodes).expand(4, -1, -1))))
    model = in_transformers(found)
    for row, source in enumerate(rows.tolist()):
        expected = naive_swap(model, prompts[row : row + 1], prompts[source : source + 1], nodes)
        assert torch.allclose(swapped[row], expected[0], atol=1e-10)
    assert not torch.allclose(swapped, found.answer(plain), atol=1e-3)


def test_every_row_has_its_own_nodes() -> None:
    found, prompts = network(), ids(2)
    plain = found.run(prompts)
    nodes = torch.stack([PLACES(("m1",)), PLACES(())])
    swapped = found.answer(found.run(prompts, Swap(plain, torch.tensor([1, 0]), nodes)))
    assert torch.equal(swapped[1], found.answer(plain)[1])
    assert not torch.allclose(swapped[0], found.answer(plain)[0])


def test_a_swap_from_the_same_prompt_changes_nothing() -> None:
    found, prompts = network(), ids(3)
    plain = found.run(prompts)
    everything = torch.ones(3, SIZES.n_layers, SIZES.n_heads + 1, dtype=torch.bool)
    assert torch.equal(found.run(prompts, Swap(plain, torch.arange(3), everything)).final, plain.final)


def test_a_swap_of_everything_gives_the_source_but_for_its_embedding() -> None:
    found, prompts = network(), ids(2)
    plain = found.run(prompts)
    everything = torch.ones(2, SIZES.n_layers, SIZES.n_heads + 1, dtype=torch.bool)
    swapped = found.run(prompts, Swap(plain, torch.tensor([1, 0]), everything))
    moved = plain.final.flip(0) + plain.embedded - plain.embedded.flip(0)
    assert torch.allclose(swapped.final, moved, atol=1e-10)


def test_a_swap_at_one_position_leaves_the_others() -> None:
    found, prompts = network(), ids(2)
    plain = found.run(prompts)
    positions = torch.tensor([[False, False, True, False, False, False]])
    nodes = PLACES(("a0.h0", "m0")).expand(2, -1, -1)
    swapped = found.run(prompts, Swap(plain, torch.tensor([1, 0]), nodes, positions))
    assert torch.equal(swapped.heads[0][:, 2, 0], plain.heads[0].flip(0)[:, 2, 0])
    assert torch.equal(swapped.heads[0][:, 3], plain.heads[0][:, 3])
    assert torch.equal(swapped.mlp[0][:, 2], plain.mlp[0].flip(0)[:, 2])


def test_one_head_alone_is_one_of_all() -> None:
    found = network()
    stream = found.run(ids(2)).before_attn[1]
    assert torch.allclose(found.attend(1, stream, 1)[:, :, 0], found.attend(1, stream)[:, :, 1], atol=1e-12)


def test_first_weights_are_those_of_their_seed() -> None:
    one, other, third = (Network.fresh(SIZES, seed).weights for seed in (0, 0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["lm_head.weight"], third["lm_head.weight"])


def test_the_rest_of_a_pass_is_that_of_the_whole() -> None:
    found = network()
    run = found.run(ids(2))
    for layer, stream in enumerate([*run.before_attn, run.final]):
        assert torch.allclose(found.finish(stream, layer), found.answer(run), atol=1e-12)
