from __future__ import annotations

import pytest
import torch
from tiny_models import MAKERS, tiny_model

from mibench.engine.controls.shuffled_weights import shuffled_weights
from mibench.engine.model import LanguageModel

PROMPT = torch.tensor([[3, 1, 4, 1, 5]])


def state(model: LanguageModel) -> dict[str, torch.Tensor]:
    return {name: one.clone() for name, one in model.hf.named_parameters()}


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2"])
def test_every_parameter_keeps_its_entries_in_another_order(name):
    model = LanguageModel(tiny_model(name))
    before = state(model)
    after = state(shuffled_weights(model, 0))
    assert before.keys() == after.keys()
    for label, tensor in before.items():
        assert torch.equal(tensor.flatten().sort().values, after[label].flatten().sort().values)
        assert not torch.equal(tensor, after[label])


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_the_original_stays_and_the_copy_computes_something_else(name):
    model = LanguageModel(tiny_model(name))
    before, logits = state(model), model.hf(PROMPT).logits
    shuffled = shuffled_weights(model, 0)
    changed = shuffled.hf(PROMPT).logits
    assert all(torch.equal(tensor, before[label]) for label, tensor in state(model).items())
    assert torch.equal(model.hf(PROMPT).logits, logits)
    assert torch.isfinite(changed).all()
    assert (changed - logits).abs().max() > 0.01


def test_the_copy_computes_with_its_own_norms():
    # The norms of a float64 model are replaced; those of a copy must not go on with the weights of the original.
    model = LanguageModel(tiny_model("llama"))
    shuffled = shuffled_weights(model, 0)
    fresh = tiny_model("llama")
    fresh.load_state_dict(shuffled.hf.state_dict())
    assert (LanguageModel(fresh).hf(PROMPT).logits - shuffled.hf(PROMPT).logits).abs().max() < 1e-12


def test_tied_embeddings_stay_tied():
    shuffled = shuffled_weights(LanguageModel(tiny_model("gemma2")), 0).hf
    assert shuffled.get_input_embeddings().weight is shuffled.get_output_embeddings().weight


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    model = LanguageModel(tiny_model("gpt2"))
    first, same, other = (state(shuffled_weights(model, seed)) for seed in (3, 3, 4))
    assert all(torch.equal(first[label], same[label]) for label in first)
    assert not any(torch.equal(first[label], other[label]) for label in first)


def test_the_global_generator_is_left_alone():
    model = LanguageModel(tiny_model("gpt2"))
    before = torch.get_rng_state()
    shuffled_weights(model, 0)
    assert torch.equal(torch.get_rng_state(), before)
