"""Weights that are on the CPU or on disk between uses change no number of what the engine computes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import cpu_offload, disk_offload, dispatch_model
from spread_work import WORK, same
from tiny_models import tiny_model

from mibench.core.errors import ModelError
from mibench.engine.controls.shuffled_weights import shuffled_weights
from mibench.engine.model import LanguageModel
from mibench.engine.selfcheck import self_check
from mibench.models.placement import is_offloaded, weight_sums

FAMILIES = ("llama", "gpt2", "gemma2")
BLOCKS = {"llama": "model.layers", "gpt2": "transformer.h", "gemma2": "model.layers"}


def parts_of(hf: Any, blocks: str) -> list[str]:
    """Blocks one by one, and what is outside them."""
    base = blocks.partition(".")[0]
    outside = [f"{base}.{name}" for name, _ in getattr(hf, base).named_children() if f"{base}.{name}" != blocks]
    return [*outside, *(f"{blocks}.{layer}" for layer in range(len(hf.get_submodule(blocks)))), "lm_head"]


def away(name: str, how: str, folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """A tiny model with all weights on the CPU or on disk between uses, or those of two blocks on disk."""
    hf, cpu = tiny_model(name, dtype), torch.device("cpu")
    if how == "cpu":
        return cpu_offload(hf, cpu)
    if how == "disk":
        return disk_offload(hf, str(folder), cpu)
    places = dict.fromkeys(parts_of(hf, BLOCKS[name]), "cpu")
    places |= {f"{BLOCKS[name]}.1": "disk", f"{BLOCKS[name]}.2": "disk"}
    return dispatch_model(hf, places, main_device="cpu", offload_dir=str(folder))


@cache
def expected(name: str, work: str) -> list[np.ndarray]:
    found: list[np.ndarray] = WORK[work](LanguageModel(tiny_model(name, torch.float32)))
    return found


HOWS = ("cpu", "disk", "two blocks on disk")
QUICK = {("llama", "two blocks on disk"), ("gpt2", "cpu")}


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize(
    ("name", "how"),
    [
        pytest.param(name, how, marks=() if (name, how) in QUICK else pytest.mark.slow)
        for name in FAMILIES
        for how in HOWS
    ],
)
def test_every_number_is_that_of_the_model_in_one_place(name: str, how: str, work: str, tmp_path: Path) -> None:
    model = LanguageModel(away(name, how, tmp_path))
    assert is_offloaded(model.hf)
    same(WORK[work](model), expected(name, work), 0.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_self_check_passes_and_weights_are_gone_after_use(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model = LanguageModel(away(name, "disk", tmp_path, dtype))
    self_check(model)
    assert all(parameter.is_meta for parameter in model.hf.parameters())


def test_what_is_made_of_weights_away_is_not_kept_for_every_layer(tmp_path: Path) -> None:
    model = LanguageModel(away("llama", "two blocks on disk", tmp_path))
    first, second = model.folded[0], model.folded[1]
    assert model.folded[1] is second
    assert model.folded[0] is first
    assert model.folded[2] is not second
    assert model.folded[1] is not second
    torch.testing.assert_close(model.folded[1].weight, second.weight, rtol=0, atol=0)


def test_sums_over_weights_see_a_change_of_any(tmp_path: Path) -> None:
    hf = tiny_model("llama", torch.float32)
    before = weight_sums(hf)
    assert len(before) == len(list(hf.parameters())) + len(list(hf.buffers()))
    assert weight_sums(away("llama", "disk", tmp_path)) == before
    with torch.no_grad():
        hf.model.layers[1].mlp.up_proj.weight[0, 0] += 1
    assert weight_sums(hf) != before


def test_weights_away_are_not_shuffled(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be shuffled"):
        shuffled_weights(LanguageModel(away("llama", "cpu", tmp_path)), 0)
