import numpy as np
import pytest
import torch
from alignment_cases import LAST, model

from mibench.artifacts.featurizers.featurizers import SiteFeaturizer
from mibench.engine.featurizers.edit import edit_of, invertibility_error
from mibench.methods.alignment.couplings import Blocks, random_coupled
from mibench.methods.alignment.rotations import orthonormal
from mibench.methods.alignment.subspaces import Subspace

BLOCKS = Blocks(3, 8)


def coupled(width=16, k=4, *, noise=0.0):
    generator = torch.Generator().manual_seed(0)
    found = random_coupled(width, k, BLOCKS, model(), generator)
    with torch.no_grad():
        for block in found.blocks:
            for tensor in block.values():
                tensor.add_(noise * torch.randn(tensor.shape, generator=generator))
    return found


def activations(width=16):
    return torch.randn(2, 5, 1, width, generator=torch.Generator().manual_seed(1))


def exported(learnt):
    return SiteFeaturizer(LAST, *learnt.exported())


def by_hand(learnt, x):
    """Features of ``x`` in numpy, float64."""
    x = x.double().numpy() @ orthonormal(learnt.free).detach().double().numpy()
    half = x.shape[-1] // 2
    for block in learnt.blocks:
        w0, b0, w1, b1 = (block[name].detach().double().numpy() for name in ("w0", "b0", "w1", "b1"))
        first, second = x[..., half:], x[..., :half]
        x = np.concatenate([first, second], -1)
        read, changed = x[..., :half], x[..., half:]
        hidden = torch.nn.functional.gelu(torch.from_numpy(read @ w0 + b0)).numpy()
        x = np.concatenate([read, changed + hidden @ w1 + b1], -1)
    return x


@pytest.mark.parametrize("width", [16, 7])
def test_the_interchange_gives_the_sources_first_features_and_the_bases_others(width):
    base, source = activations(width)
    learnt = coupled(width, noise=0.3)
    features = by_hand(learnt, learnt.edit(0.0)(base, source).detach())
    assert np.allclose(features[..., :4], by_hand(learnt, source)[..., :4], atol=1e-4)
    assert np.allclose(features[..., 4:], by_hand(learnt, base)[..., 4:], atol=1e-4)


def test_before_training_it_is_a_rotation_whose_directions_are_swapped():
    base, source = activations()
    learnt = coupled(k=4)
    # Three blocks of exchanged halves: the first four features are then directions 8 to 11.
    rotated = Subspace(orthonormal(learnt.free)[:, 8:12].detach())
    assert torch.allclose(learnt.edit(0.0)(base, source), rotated.edit(0.0)(base, source), atol=1e-5)


def test_what_is_exported_does_what_is_trained():
    base, source = activations()
    learnt = coupled(noise=0.3)
    hard = edit_of(exported(learnt), device=model().device, dtype=torch.float32)
    assert torch.allclose(hard(base, source), learnt.edit(1.0)(base, source), atol=1e-5)


def test_what_is_exported_is_invertible_and_no_rotation():
    found = exported(coupled(noise=0.3))
    found.validate(16)
    x = activations().double()
    assert invertibility_error(found, x, carry_error=False) < 1e-6
    # The last four are the features that are listed as swapped.
    assert found.n_parameters == 16 * 16 + 3 * (8 * 8 + 8 + 8 * 8 + 8) + 4


def test_gradients_reach_the_rotation_and_every_block():
    base, source = activations()
    learnt = coupled(noise=0.3)
    learnt.edit(0.0)(base, source).square().sum().backward()
    tensors = [learnt.free, *(tensor for block in learnt.blocks for tensor in block.values())]
    # The last block's shift is added and taken away again at features that are not swapped.
    assert sum(bool(tensor.grad.abs().max() > 1e-6) for tensor in tensors) >= len(tensors) - 2
    assert learnt.groups()[0]["params"] == tensors
