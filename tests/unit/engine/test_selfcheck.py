"""The check that every loaded model goes through lets right adapters pass and stops wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_models import MAKERS, tiny_model

from mibench.core.errors import ModelError
from mibench.engine.attention import AttentionCore, Context
from mibench.engine.model import LanguageModel
from mibench.engine.selfcheck import self_check
from mibench.models import anatomy as anatomy_module
from mibench.models.anatomy import Anatomy
from mibench.models.layout import Layout, never

WRONG_LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "an offset that norms do not have": ("llama", {"norm_offset": 1.0}),
    "a norm offset left out": ("gemma2", {"norm_offset": 0.0}),
    "rms for layer norm": ("gpt2", {"norm": "rms"}),
    "layer norm for rms": ("qwen2", {"norm": "layer"}),
    "keys taken for queries": ("llama", {"qkv": ("k_proj", "q_proj", "v_proj")}),
    "values taken for keys": ("mistral", {"qkv": ("q_proj", "v_proj", "k_proj")}),
    "blocked for interleaved rows": ("gpt_neox", {"fused": "blocked"}),
    "interleaved for blocked rows": ("gpt2", {"fused": "interleaved"}),
    "rows for columns": ("gpt2", {"transposed": False}),
    "a sequential model taken for a parallel one": ("gpt_neox_sequential", {"parallel": lambda _: True}),
    "a parallel model taken for a sequential one": ("gpt_neox", {"parallel": never}),
    "a post-norm left out": ("gemma2", {"post_attn": None}),
    "an MLP that ends before its post-norm": ("gemma2", {"mlp_end": "mlp"}),
    "the MLP's norm before attention": ("llama", {"norm1": "post_attention_layernorm"}),
    "the attention's norm before the MLP": ("gpt2", {"norm2": "ln_1"}),
    "positions left out": ("gpt2", {"positions": None}),
    "a cache keyword that attention ignores": ("gpt_neox", {"cache": "past_key_values"}),
    "a module that is not there": ("llama", {"mlp": "feed_forward"}),
}
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", MAKERS)
def test_every_family_passes(name: str, dtype: torch.dtype) -> None:
    model = LanguageModel(tiny_model(name, dtype))
    for seed in range(3):
        self_check(model, seed)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("fault", WRONG_LAYOUTS)
def test_a_wrong_layout_is_refused(fault: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    name, changes = WRONG_LAYOUTS[fault]
    _break_layout(monkeypatch, changes)
    with pytest.raises(ModelError, match=r"does not reproduce|not where its family file says") as caught:
        self_check(LanguageModel(tiny_model(name, dtype)))
    assert caught.value.why
    assert "family file" in caught.value.do


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("fault", ["values taken for keys", "blocked for interleaved rows", "a post-norm left out"])
def test_a_wrong_layout_is_refused_in_half_precision(
    fault: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_a_wrong_layout_is_refused(fault, dtype, monkeypatch)


def _break_layout(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    right: Callable[[Any], Layout] = anatomy_module.layout_of
    monkeypatch.setattr(anatomy_module, "layout_of", lambda model: replace(right(model), **changes))


def _refused(name: str, dtype: torch.dtype = torch.float32) -> None:
    with pytest.raises(ModelError, match="does not reproduce"):
        self_check(LanguageModel(tiny_model(name, dtype)))


@pytest.mark.parametrize("name", ["llama", "gemma2", "gpt_neox"])
def test_rotary_positions_left_out_are_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Context.arguments

    def still(self: Context) -> dict[str, Any]:
        arguments = right(self)
        cos, sin = arguments["position_embeddings"]
        return arguments | {"position_embeddings": (torch.ones_like(cos), torch.zeros_like(sin))}

    monkeypatch.setattr(Context, "arguments", still)
    _refused(name)


@pytest.mark.parametrize("name", ["mistral", "gemma2", "qwen2"])
def test_an_ignored_sliding_window_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = Context.arguments

    def causal(self: Context) -> dict[str, Any]:
        arguments = right(self)
        mask = arguments["attention_mask"]
        if mask is None:
            return arguments
        queries, keys = mask.shape[-2:]
        visible = torch.ones(1, 1, queries, keys).tril(keys - queries).bool()
        blocked = torch.zeros(visible.shape, dtype=torch.float32).masked_fill(~visible, -1e30)
        return arguments | {"attention_mask": visible if mask.dtype == torch.bool else blocked}

    monkeypatch.setattr(Context, "arguments", causal)
    _refused(name)


def test_query_heads_on_the_wrong_key_value_head_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = AttentionCore.__call__

    def rolled(self: AttentionCore, qkv: Any, heads: Any, context: Any, prefix: Any) -> Any:
        return right(self, (qkv[0], qkv[1].roll(1, dims=2), qkv[2]), heads, context, prefix)

    monkeypatch.setattr(AttentionCore, "__call__", rolled)
    _refused("llama")


def test_a_lost_output_bias_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Anatomy, "out_bias", lambda self, layer: 0.0)
    _refused("gpt2")


def test_logits_that_are_not_numbers_are_refused() -> None:
    hf = tiny_model("llama", torch.float32)
    with torch.no_grad():
        hf.model.layers[1].mlp.down_proj.weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match="does not reproduce"):
        self_check(LanguageModel(hf))


def test_the_check_leaves_the_model_as_it_was() -> None:
    hf = tiny_model("gemma2", torch.float32)
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])
    with torch.no_grad():
        before = hf(ids).logits
        self_check(LanguageModel(hf))
        assert (hf(ids).logits == before).all()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in hf.modules())


def test_a_model_with_few_positions_can_be_checked() -> None:
    self_check(LanguageModel(tiny_model("gpt2", torch.float32, n_positions=6)))
