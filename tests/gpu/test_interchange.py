"""Featurizers trained on a graphics card are near those trained on the processor.

    pytest tests/gpu -m gpu

MIBENCH_TEST_DEVICE names another device (``cpu`` runs the same code where there is no card).
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from alignment_cases import LAST, view
from tiny_models import tiny_model

from mibench.engine.model import LanguageModel
from mibench.methods.method import METHODS

DEVICE = os.environ.get("MIBENCH_TEST_DEVICE", "cuda")

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="no CUDA device"),
]


def on(device: str, name: str) -> LanguageModel:
    return LanguageModel(tiny_model(name, torch.float32).to(device))


@pytest.mark.parametrize("name", ["das", "dbm", "pca", "random-subspace"])
def test_methods_start_at_the_same_point_and_end_near_each_other(name: str) -> None:
    made = []
    for device in (DEVICE, "cpu"):
        method = METHODS.load(name)
        cell = replace(view((LAST,)), model=on(device, "llama"))
        made.append(method.function(cell, **method.parameters({"epochs": 1} if name in {"das", "dbm"} else {})))
    first, second = (one.sites[0] for one in made)
    for own, other in zip(first.operations, second.operations, strict=True):
        for key, array in own.tensors.items():
            assert np.abs(array - other.tensors[key]).max() < 5e-2
