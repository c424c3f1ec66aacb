"""What graphics cards are tested with, on the processor, so that it works when there is a card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from device_bodies import (
    BODIES,
    FAMILIES,
    core_pass,
    deterministic_only,
    difference,
    expected,
    growth,
    on,
    one_cell,
    trained_dictionary,
)


@pytest.mark.parametrize("body", BODIES)
def test_float32_and_bfloat16_are_near_float64(body: str) -> None:
    family = FAMILIES[list(BODIES).index(body) % len(FAMILIES)]
    assert 0 < difference(body, family, "cpu", torch.float32) < 1e-4
    assert 1e-4 < difference(body, family, "cpu", torch.bfloat16) < 0.3


@pytest.mark.parametrize("body", BODIES)
def test_a_model_that_is_another_one_is_far_off(body: str) -> None:
    model = on("cpu", "llama", torch.float64)
    with torch.no_grad():
        model.hf.model.layers[1].mlp.down_proj.weight.mul_(1.01)
    wanted, found = expected(body, "llama"), BODIES[body](model)
    assert np.abs(found - wanted).max() > 1e-4 * np.abs(wanted).max()


def test_the_same_bits_every_time() -> None:
    assert BODIES["EAP-IG"](on("cpu", "qwen2")).tobytes() == BODIES["EAP-IG"](on("cpu", "qwen2")).tobytes()
    assert one_cell(on("cpu", "gpt_neox")) == one_cell(on("cpu", "gpt_neox"))
    assert trained_dictionary("cpu") == trained_dictionary("cpu")


def test_scores_of_a_dictionary_are_the_same_bytes_where_only_deterministic_operations_are_let(tmp_path: Path) -> None:
    plain = core_pass(on("cpu", "llama"), tmp_path)
    with deterministic_only():
        assert core_pass(on("cpu", "llama"), tmp_path) == plain
    assert len(plain) > 20


def test_no_tensor_is_held_after_a_cell() -> None:
    assert growth("cpu", 6)[0] <= 0
