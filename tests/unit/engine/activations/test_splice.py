"""Splicing replacements in, against whole passes under plain hooks, in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plain_hooks import PlainHooks, points_of, token_ids
from tiny_models import MAKERS, VOCAB, tiny_model
from torch import Tensor

from mibench.core.errors import DataError
from mibench.core.hook_points import HookKind, HookPoint
from mibench.engine.activations import losses
from mibench.engine.activations.splice import Splice
from mibench.engine.activations.tail import share
from mibench.engine.model import LanguageModel


def usual(clean: Tensor, run: Tensor, ids: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Cross-entropy and KL, position by position."""
    p, q = clean.softmax(-1).numpy(), run.softmax(-1).numpy()
    rows, length = ids.shape
    ce = [[-np.log(q[row, t, ids[row, t + 1]]) for t in range(length - 1)] for row in range(rows)]
    kl = [[np.sum(p[row, t] * np.log(p[row, t] / q[row, t])) for t in range(length - 1)] for row in range(rows)]
    return np.array(ce), np.array(kl)


@pytest.mark.parametrize("name", MAKERS)
def test_losses_at_every_point_of_every_family_are_those_of_a_whole_pass_with_a_hook(name: str) -> None:
    hf = tiny_model(name)
    model, plain, ids = LanguageModel(hf), PlainHooks(name, hf), token_ids(2, 6)
    generator = torch.Generator().manual_seed(1)
    where = torch.rand(ids.shape, generator=generator) < 0.6
    clean_logits = hf(input_ids=ids, use_cache=False).logits
    for point in points_of(model):
        splice = Splice(model, ids, point)
        new = splice.clean + torch.randn(splice.clean.shape, generator=generator, dtype=torch.float64)
        found = splice.losses(new, where)
        logits = plain.logits(ids, point, lambda old, new=new: torch.where(where[..., None], new, old))
        ce, kl = usual(clean_logits, logits, ids)
        assert np.abs(found.ce.numpy() - ce).max() < 1e-9, point
        assert np.abs(found.kl.numpy() - kl).max() < 1e-9, point
        assert np.abs(splice.clean_ce.numpy() - usual(clean_logits, clean_logits, ids)[0]).max() < 1e-9


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt2"])
def test_the_clean_activation_in_its_own_place_changes_nothing_at_all(name: str) -> None:
    model = LanguageModel(tiny_model(name, torch.float32))
    for point in points_of(model):
        splice = Splice(model, token_ids(), point)
        found = splice.losses(splice.clean, torch.ones(3, 9, dtype=torch.bool))
        if point.kind is HookKind.MLP_NORMALISED:  # Scaled again, it is rounded again.
            assert found.kl.abs().max() < 1e-6
        else:
            assert torch.equal(found.ce, splice.clean_ce)
            assert not found.kl.any()


def test_replacing_nowhere_is_the_clean_run_whatever_the_replacement() -> None:
    splice = Splice(LanguageModel(tiny_model("qwen2")), token_ids(), HookPoint(1))
    found = splice.losses(torch.full_like(splice.clean, 1e6), torch.zeros(3, 9, dtype=torch.bool))
    assert torch.equal(found.ce, splice.clean_ce)


def test_several_replacements_at_once_are_each_by_itself() -> None:
    splice = Splice(LanguageModel(tiny_model("gpt2")), token_ids(), HookPoint(0, HookKind.MLP_OUT))
    where = torch.ones(3, 9, dtype=torch.bool)
    several = [torch.zeros_like(splice.clean), splice.clean * 0.5, splice.clean.float()]
    for one, together in zip(several, splice.losses_of(several, where), strict=True):
        alone = splice.losses(one, where)
        assert torch.equal(alone.ce, together.ce)
        assert torch.equal(alone.kl, together.kl)


@pytest.mark.parametrize("tokens", [1, 3, 7, 10_000])
def test_chunks_of_the_vocabulary_matrix_do_not_change_the_losses(tokens: int, monkeypatch: pytest.MonkeyPatch) -> None:
    splice = Splice(LanguageModel(tiny_model("llama")), token_ids(), HookPoint(1))
    where = torch.ones(3, 9, dtype=torch.bool)
    whole = splice.losses(splice.clean * 0.9, where)
    monkeypatch.setattr(losses, "MAX_LOGITS", tokens * VOCAB)
    parts = splice.losses(splice.clean * 0.9, where)
    assert (parts.ce - whole.ce).abs().max() < 1e-12
    assert (parts.kl - whole.kl).abs().max() < 1e-12
    assert bool((whole.kl >= 0).all())


def test_what_a_transcoder_reads_is_kept_beside_what_it_replaces() -> None:
    model = LanguageModel(tiny_model("gemma2"))
    read_at, write_at = HookPoint(1, HookKind.MLP_NORMALISED), HookPoint(1, HookKind.MLP_OUT)
    splice = Splice(model, token_ids(), write_at, reads=[read_at])
    mlp_out = model.anatomy.blocks[1].mlp_end(
        model.anatomy.blocks[1].mlp(splice.at(read_at) * model.anatomy.norm(model.anatomy.blocks[1].norm2).scale)
    )
    assert (splice.at(write_at) - mlp_out).abs().max() < 1e-12
    assert splice.at(write_at) is splice.clean


def test_layers_before_the_hook_point_run_once() -> None:
    hf = tiny_model("llama")
    ran: list[int] = []
    for layer, block in enumerate(hf.model.layers):
        block.mlp.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
    splice = Splice(LanguageModel(hf), token_ids(), HookPoint(1))
    splice.losses_of([splice.clean, splice.clean], torch.ones(3, 9, dtype=torch.bool))
    assert ran == [0, 1, 2, 2, 2]


def test_a_normalised_activation_of_16_bits_in_its_own_place_changes_its_rounding_only() -> None:
    model, where = LanguageModel(tiny_model("gemma2", torch.bfloat16)), torch.ones(3, 9, dtype=torch.bool)
    splice = Splice(model, token_ids(), HookPoint(1, HookKind.MLP_NORMALISED))
    same, half = splice.losses_of([splice.clean, splice.clean * 0.5], where)
    assert same.kl.max() < 0.001 < half.kl.max()


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (HookPoint(2), 0.0),
        (HookPoint(1), 1 / 3),
        (HookPoint(1, HookKind.MLP_OUT), 1 / 3),
        (HookPoint(1, HookKind.ATTN_OUT), 2 / 3),
        (HookPoint(0, HookKind.RESIDUAL_PRE), 1.0),
    ],
)
def test_the_share_of_layers_that_run_again(point: HookPoint, expected: float) -> None:
    assert share(LanguageModel(tiny_model("llama")), point) == pytest.approx(expected)


def test_the_model_is_left_without_hooks() -> None:
    hf = tiny_model("gpt_neox")
    splice = Splice(LanguageModel(hf), token_ids(), HookPoint(0, HookKind.HEADS))
    splice.losses(splice.clean * 2, torch.ones(3, 9, dtype=torch.bool))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in hf.modules())


def test_a_point_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match="no hook point"):
        Splice(LanguageModel(tiny_model("gpt_neox")), token_ids(), HookPoint(0, HookKind.RESIDUAL_MID))


def test_bfloat16_models_have_losses_close_to_those_of_float32() -> None:
    wide, narrow = LanguageModel(tiny_model("llama", torch.float32)), LanguageModel(tiny_model("llama", torch.bfloat16))
    where = torch.ones(3, 9, dtype=torch.bool)
    found = []
    for model in (wide, narrow):
        splice = Splice(model, token_ids(), HookPoint(1))
        found.append(splice.losses(splice.clean * 0, where))
    assert found[1].ce.dtype == torch.float64
    assert float((found[0].ce - found[1].ce).abs().mean()) < 0.1
