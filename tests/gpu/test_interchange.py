"""Interchange interventions on a graphics card give what they give on the processor.

    pytest tests/gpu -m gpu

MIBENCH_TEST_DEVICE names another device (``cpu`` runs the same code where there is no card).
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import torch
from alignment_cases import HEADS, LAST, rows, view
from tiny_models import tiny_model

from mibench.core.sites import Component, Site
from mibench.engine.interchange.interchanges import Interchanges
from mibench.engine.interchange.options import Intervention, SiteEdit
from mibench.engine.model import LanguageModel
from mibench.methods.method import METHODS

DEVICE = os.environ.get("MIBENCH_TEST_DEVICE", "cuda")
FAMILIES = ["gpt2", "llama", "gemma2", "qwen2", "gpt_neox"]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="no CUDA device"),
]


def on(device: str, name: str) -> LanguageModel:
    return LanguageModel(tiny_model(name, torch.float32).to(device))


def half(base: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
    return (base + source) / 2


def interventions() -> list[Intervention]:
    places = [Site(0, "last"), Site(1, "first", Component.RESIDUAL_PRE), Site(1, "all", Component.MLP), HEADS[0]]
    single: list[Intervention] = [(SiteEdit(site, half),) for site in places]
    return [*single, tuple(SiteEdit(site, half) for site in HEADS)]


@pytest.mark.parametrize("name", FAMILIES)
def test_answers_after_an_interchange_are_those_of_the_processor(name: str) -> None:
    # "all" takes as many tokens from the source as it replaces.
    found = [Interchanges(on(device, name), rows()).run(interventions()) for device in (DEVICE, "cpu")]
    assert np.abs(found[0].label_logprob - found[1].label_logprob).max() < 2e-3


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
