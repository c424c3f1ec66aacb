import numpy as np
import pytest
import torch
from alignment_cases import LAST, model

from mibench.artifacts.featurizers.featurizers import SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation
from mibench.engine.featurizers.edit import edit_of
from mibench.methods.alignment.masks import Features, shut_mask

IDENTITY = Features((Operation("identity"),), 4)


def activations():
    return torch.randn(2, 3, 1, 4, generator=torch.Generator().manual_seed(0))


def mask(*logits, sparsity=0.0):
    found = shut_mask(IDENTITY, sparsity, model())
    with torch.no_grad():
        found.logits.copy_(torch.tensor(logits))
    return found


def test_gates_are_half_open_before_training():
    base, source = activations()
    assert torch.allclose(shut_mask(IDENTITY, 0.0, model()).edit(0.0)(base, source), (base + source) / 2)


@pytest.mark.parametrize(("done", "temperature"), [(0.0, 1.0), (0.5, 0.505), (1.0, 0.01)])
def test_gates_are_sharper_as_training_goes_on(done, temperature):
    logits = np.array([0.02, -0.01, 0.5, -2.0])
    expected = 1 / (1 + np.exp(-logits / temperature))
    assert np.allclose(mask(*logits).gates(done).detach().numpy(), expected, atol=1e-6)


def test_a_soft_mask_is_between_base_and_source():
    base, source = activations()
    learnt = mask(0.3, -0.3, 0.0, 2.0)
    gates = learnt.gates(0.2)
    assert torch.allclose(learnt.edit(0.2)(base, source), (1 - gates) * base + gates * source, atol=1e-6)


def test_a_logit_of_exactly_zero_is_not_selected():
    assert mask(0.0, 0.1, -0.1, 3.0).exported()[1].tolist() == [False, True, False, True]


def test_an_empty_mask_swaps_nothing():
    base, source = activations()
    featurizer = SiteFeaturizer(LAST, *mask(0.0, 0.0, -1.0, -5.0).exported())
    assert featurizer.n_selected(4) == 0
    assert torch.equal(edit_of(featurizer, device=model().device, dtype=torch.float32)(base, source), base)


def test_at_the_end_gates_are_nearly_what_is_exported():
    base, source = activations()
    learnt = mask(1.0, -1.0, 0.4, -0.4)
    hard = edit_of(SiteFeaturizer(LAST, *learnt.exported()), device=model().device, dtype=torch.float32)
    assert torch.allclose(hard(base, source), learnt.edit(1.0)(base, source), atol=1e-5)


def test_the_price_is_of_the_sum_of_gates():
    assert mask(0.0, 0.0, 0.0, 0.0, sparsity=0.5).penalty(0.0).item() == 1.0


def test_gradients_reach_every_logit():
    base, source = activations()
    learnt = mask(0.0, 0.1, -0.1, 0.2)
    learnt.edit(0.5)(base, source).square().sum().backward()
    assert (learnt.logits.grad.abs() > 0).all()
