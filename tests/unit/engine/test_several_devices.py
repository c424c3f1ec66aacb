"""A model spread over two devices: no operation mixes them, and numbers stay what they were.

There are no two devices here: see ``pretend``.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from pretend import FIRST, SECOND, MixedDevicesError, Pretending, over_two
from spread_work import WORK, same
from test_offloaded import BLOCKS, parts_of
from tiny_models import tiny_model

from mibench.engine.model import LanguageModel

FAMILIES = ("llama", "gpt2", "gemma2")


@cache
def expected(name: str, work: str) -> list[np.ndarray]:
    found: list[np.ndarray] = WORK[work](LanguageModel(tiny_model(name)))
    return found


def places(hf: Any, name: str) -> dict[str, torch.device]:
    """Blocks 1 and on, the final norm and the head on the second device."""
    parts = parts_of(hf, BLOCKS[name])
    late = [part for part in parts if part.endswith((".1", ".2", "norm", "ln_f", "lm_head"))]
    return {part: SECOND if part in late else FIRST for part in parts}


def test_pretended_devices_refuse_to_be_mixed() -> None:
    with Pretending():
        one, other = torch.ones(2, device=FIRST), torch.ones(2, device=SECOND)
        assert (one + one).device == FIRST
        assert float((one + other.to(FIRST)).sum()) == 4
        with pytest.raises(MixedDevicesError):
            one + other
        with pytest.raises(MixedDevicesError):
            one @ torch.ones(2)
        with pytest.raises(MixedDevicesError):
            one[torch.zeros(1, dtype=torch.long, device=SECOND)]


QUICK = {("gemma2", "circuits"), *(("llama", work) for work in ("plain_run", "interchanges", "activations"))}


@pytest.mark.parametrize(
    ("name", "work"),
    [
        pytest.param(name, work, marks=() if (name, work) in QUICK else pytest.mark.slow)
        for name in FAMILIES
        for work in WORK
    ],
)
def test_every_number_is_that_of_the_model_in_one_place(name: str, work: str) -> None:
    wanted, hf = expected(name, work), tiny_model(name)
    with over_two(hf, places(hf, name)):
        model = LanguageModel(hf)
        assert (model.device, set(model.places)) == (FIRST, {FIRST, SECOND})
        found = WORK[work](model)
    same(found, wanted, 1e-10)
