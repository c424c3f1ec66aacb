"""Swapping latents, against the formula in plain float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dictionary_examples import ARCHITECTURES, example
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.engine.dictionaries.coder import Coder
from mibench.tracks.sae.causal_swap import LatentSwap

WIDTH, LATENTS = 12, 24


def coder_of(architecture: str, scaling: str = "none") -> Coder:
    made = example(architecture, WIDTH, LATENTS, scaling=scaling)
    return Coder(made, device=torch.device("cpu"), dtype=torch.float64)


def activations(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    base, source = (torch.randn(5, 2, WIDTH, generator=generator, dtype=torch.float64) for _ in range(2))
    return base, source


@pytest.mark.parametrize("scaling", ["none", "constant"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_all_latents_reach_the_decoded_source_and_the_base_s_error(architecture: str, scaling: str) -> None:
    coder, (base, source) = coder_of(architecture, scaling), activations()
    expected = coder.reconstruct(source) + (base - coder.reconstruct(base))
    assert torch.allclose(LatentSwap(coder)(base, source), expected, rtol=0, atol=1e-12)
    assert torch.allclose(LatentSwap(coder, error=False)(base, source), coder.reconstruct(source), rtol=0, atol=1e-12)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_some_latents_are_the_decoded_mixture_and_the_base_s_error(architecture: str) -> None:
    coder, (base, source) = coder_of(architecture), activations()
    taken = torch.tensor([7, 2, 11])
    mixed = coder.encode(base).clone()
    mixed[..., taken] = coder.encode(source)[..., taken]
    decoded = coder.decode(mixed)
    expected = decoded + (base - coder.reconstruct(base))
    assert torch.allclose(LatentSwap(coder, taken)(base, source), expected, rtol=0, atol=1e-12)
    assert torch.allclose(LatentSwap(coder, taken, error=False)(base, source), decoded, rtol=0, atol=1e-12)


def test_with_layer_norm_the_base_keeps_its_own_mean_and_scale() -> None:
    coder, (base, source) = coder_of("topk", "layer-norm"), activations()
    of_base, of_source = (coder.encode(x).numpy() for x in (base, source))
    expected = base.numpy() + (of_source - of_base) @ coder.decoder.numpy()
    assert np.allclose(LatentSwap(coder)(base, source).numpy(), expected, rtol=0, atol=1e-12)


def test_no_latents_leave_the_base_bit_for_bit() -> None:
    coder, (base, source) = coder_of("topk"), activations()
    assert torch.equal(LatentSwap(coder, torch.zeros(0, dtype=torch.long))(base, source), base)


@settings(max_examples=25, deadline=None)
@given(open_=st.lists(st.booleans(), min_size=LATENTS, max_size=LATENTS), seed=st.integers(0, 99))
def test_gates_of_zero_and_one_are_a_choice_of_latents(open_: list[bool], seed: int) -> None:
    coder, (base, source) = coder_of("relu"), activations(seed)
    gates = torch.tensor(open_, dtype=torch.float64)
    soft, hard = LatentSwap(coder, gates), LatentSwap(coder, gates.nonzero()[:, 0])
    assert torch.allclose(soft(base, source), hard(base, source), rtol=0, atol=1e-12)


def test_gradients_reach_the_gates_and_not_the_encoder() -> None:
    coder, (base, source) = coder_of("relu"), activations()
    gates = torch.full((LATENTS,), 0.5, dtype=torch.float64, requires_grad=True)
    base.requires_grad_()
    (found,) = torch.autograd.grad(LatentSwap(coder, gates)(base, source).sum(), [gates])
    difference = (coder.encode(source) - coder.encode(base)).detach()
    assert torch.allclose(found, (difference * coder.decoder.sum(1)).sum((0, 1)))


def test_16_bit_activations_stay_16_bit() -> None:
    coder, (base, source) = coder_of("relu"), activations()
    for error in (True, False):
        assert LatentSwap(coder, error=error)(base.half(), source.half()).dtype == torch.float16
