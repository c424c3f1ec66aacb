"""Reading activations at hook points, against plain hooks on whole passes, in float64."""

from __future__ import annotations

import pytest
import torch
from plain_hooks import PlainHooks, points_of, token_ids
from tiny_models import MAKERS, VOCAB, tiny_model

from mibench.core.errors import DataError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.activations.capture import read, width_of
from mibench.engine.activations.prompts import ragged, share_of
from mibench.engine.model import LanguageModel


@pytest.mark.parametrize("name", MAKERS)
def test_every_point_of_every_family_is_what_a_plain_hook_sees(name: str) -> None:
    hf = tiny_model(name)
    model, plain, ids = LanguageModel(hf), PlainHooks(name, hf), token_ids()
    found = read(model, ids, points_of(model))
    for point in points_of(model):
        assert found[point].shape == (3, 9, width_of(model, point))
        assert (found[point] - plain.read(ids, point)).abs().max() < 1e-12, point


@pytest.mark.parametrize("name", MAKERS)
def test_the_residual_stream_is_the_hidden_states_of_transformers(name: str) -> None:
    hf = tiny_model(name)
    model, ids = LanguageModel(hf), token_ids()
    hidden = hf(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
    layers = range(model.anatomy.n_layers)
    found = read(model, ids, [HookPoint(layer, HookKind.RESIDUAL_PRE) for layer in layers])
    for layer in layers:
        assert (found[HookPoint(layer, HookKind.RESIDUAL_PRE)] - hidden[layer]).abs().max() < 1e-12


@pytest.mark.parametrize("name", MAKERS)
def test_scale_and_shift_of_the_norm_turn_the_normalised_stream_into_what_the_mlp_reads(name: str) -> None:
    model = LanguageModel(tiny_model(name))
    normalised, mlp_in = HookPoint(1, HookKind.MLP_NORMALISED), HookPoint(1, HookKind.MLP_IN)
    found = read(model, token_ids(), [normalised, mlp_in])
    norm = model.anatomy.norm(model.anatomy.blocks[1].norm2)
    again = found[normalised] * norm.scale + (0 if norm.shift is None else norm.shift)
    assert (again - found[mlp_in]).abs().max() < 1e-12


@pytest.mark.parametrize("kind", [HookKind.RESIDUAL_PRE, HookKind.HEADS, HookKind.RESIDUAL_POST])
def test_nothing_after_the_deepest_point_is_computed(kind: HookKind) -> None:
    hf = tiny_model("llama")
    model, ran = LanguageModel(hf), []
    for layer, block in enumerate(hf.model.layers):
        block.mlp.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
    hf.lm_head.register_forward_hook(lambda *_: ran.append("head"))
    read(model, token_ids(), [HookPoint(0, HookKind.RESIDUAL_PRE), HookPoint(1, kind)])
    assert ran == ([0, 1] if kind is HookKind.RESIDUAL_POST else [0])


def test_the_model_is_left_without_hooks_and_gives_the_same_logits() -> None:
    hf = tiny_model("gemma2")
    model, ids = LanguageModel(hf), token_ids()
    before = hf(input_ids=ids).logits
    read(model, ids, points_of(model))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in hf.modules())
    assert torch.equal(before, hf(input_ids=ids).logits)


def test_no_gradients_are_kept_and_a_point_given_twice_is_read_once() -> None:
    model = LanguageModel(tiny_model("gpt2"))
    found = read(model, token_ids(), [HookPoint(0), HookPoint(0)])
    assert list(found) == [HookPoint(0)]
    assert not found[HookPoint(0)].requires_grad


def test_no_points_need_no_pass() -> None:
    assert read(LanguageModel(tiny_model("gpt2")), token_ids(), []) == {}


def test_padding_on_the_right_leaves_the_real_tokens_as_they_are() -> None:
    model, ids = LanguageModel(tiny_model("llama")), token_ids()
    mask = torch.ones_like(ids)
    mask[0, 6:] = 0
    padded = read(model, ids, [HookPoint(2)], attention_mask=mask)[HookPoint(2)]
    alone = read(model, ids[:1, :6], [HookPoint(2)])[HookPoint(2)]
    assert (padded[0, :6] - alone[0]).abs().max() < 1e-12


def test_a_parallel_block_has_nothing_between_attention_and_mlp() -> None:
    point = HookPoint(0, HookKind.RESIDUAL_MID)
    with pytest.raises(DataError, match=r"residual-mid\.L0"):
        read(LanguageModel(tiny_model("gpt_neox")), token_ids(), [point])
    assert read(LanguageModel(tiny_model("gpt_neox_sequential")), token_ids(), [point])[point].shape == (3, 9, 16)


@pytest.mark.parametrize("layer", [3, -1, 1000])
def test_a_layer_that_is_not_there_is_refused(layer: int) -> None:
    with pytest.raises(DataError) as caught:
        width_of(LanguageModel(tiny_model("llama")), HookPoint(layer))
    assert "0 to 2" in caught.value.why


def test_heads_are_as_wide_as_all_heads_together() -> None:
    model = LanguageModel(tiny_model("mistral"))
    assert width_of(model, HookPoint(0, HookKind.HEADS)) == 24
    assert width_of(model, HookPoint(0)) == 16


class Count:
    """Counts passes and progress."""

    def __init__(self) -> None:
        self.forwards, self.steps = 0, []

    def forward(self, examples: int) -> None:
        self.forwards += examples

    def backward(self, examples: int) -> None:
        raise AssertionError(examples)

    def __call__(self, done: int, total: int) -> None:
        self.steps.append((done, total))


def test_prompts_of_several_lengths_give_what_each_gives_alone() -> None:
    model = LanguageModel(tiny_model("qwen2"))
    points = [HookPoint(0, HookKind.HEADS), HookPoint(1)]
    generator = torch.Generator().manual_seed(3)
    prompts = [torch.randint(0, VOCAB, (length,), generator=generator).tolist() for length in (5, 3, 5, 7, 3, 5, 5, 2)]
    count = Count()
    found = dict(ragged(model, prompts, points, 10, count, count))
    assert sorted(found) == list(range(8))
    for row, prompt in enumerate(prompts):
        alone = read(model, torch.tensor([prompt]), points)
        for point in points:
            assert (found[row][point] - alone[point][0]).abs().max() < 1e-12
    assert count.steps[-1] == (8, 8)
    # Two layers of three, of batches with 1, 2, 2, 2 and 1 prompts, each rounded.
    assert share_of(model, points) == pytest.approx(2 / 3)
    assert count.forwards == 1 + 1 + 1 + 1 + 1


def test_no_prompts_give_nothing() -> None:
    assert list(ragged(LanguageModel(tiny_model("gpt2")), [], [HookPoint(0)])) == []
