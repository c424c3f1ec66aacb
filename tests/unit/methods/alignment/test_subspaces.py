import numpy as np
import pytest
import torch
from alignment_cases import LAST, model

from mibench.artifacts.featurizers.featurizers import SiteFeaturizer
from mibench.engine.featurizers.edit import edit_of
from mibench.methods.alignment.rotations import orthonormal, random_columns
from mibench.methods.alignment.subspaces import Annealing, BoundedSubspace, Subspace

HOW = Annealing(50.0, 0.1, 1.0, 0.01)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def activations(seed=1):
    return torch.randn(2, 5, 1, 16, generator=generator(seed), dtype=torch.float64).float()


def free(k=16):
    return random_columns(16, k, model(), generator())


def bounded(boundary):
    return BoundedSubspace(free(), torch.tensor(boundary, requires_grad=True), HOW)


def edit_of_exported(learnt):
    return edit_of(SiteFeaturizer(LAST, *learnt.exported()), device=model().device, dtype=torch.float32)


def test_a_subspace_moves_the_base_to_the_source_along_its_directions_only():
    base, source = activations()
    rotation = orthonormal(free(3)).detach().double()
    expected = base.double() + (source - base).double() @ rotation @ rotation.T
    assert torch.allclose(Subspace(free(3)).edit(0.0)(base, source).double(), expected, atol=1e-5)


def test_what_a_subspace_exports_does_what_it_does():
    base, source = activations()
    learnt = Subspace(free(3))
    assert torch.allclose(edit_of_exported(learnt)(base, source), learnt.edit(1.0)(base, source), atol=1e-5)


def test_gates_follow_the_formula():
    base, source = activations()
    learnt = bounded(0.3)
    places = np.arange(16)
    for done, temperature in ((0.0, 50.0), (0.5, 25.05), (1.0, 0.1)):
        gates = torch.from_numpy(1 / (1 + np.exp(-(0.3 * 16 - places - 0.5) / temperature)))
        rotation = orthonormal(free()).detach().double()
        expected = base.double() + ((source - base).double() @ rotation * gates) @ rotation.T
        assert torch.allclose(learnt.edit(done)(base, source).double(), expected, atol=1e-5)


@pytest.mark.parametrize(("boundary", "count"), [(1.0, 16), (0.5, 8), (0.28, 4), (0.04, 1), (0.03, 0), (0.0, 0)])
def test_the_boundary_says_how_many_directions_are_swapped(boundary, count):
    operations, select = bounded(boundary).exported()
    featurizer = SiteFeaturizer(LAST, operations, select)
    featurizer.validate(16)
    assert featurizer.n_selected(16) == count


def test_nothing_inside_the_boundary_swaps_nothing():
    base, source = activations()
    assert torch.equal(edit_of_exported(bounded(0.0))(base, source), base)


def test_cold_gates_are_what_is_exported():
    base, source = activations()
    learnt = BoundedSubspace(free(), torch.tensor(0.5), Annealing(1.0, 1e-3, 1.0, 0.01))
    assert torch.allclose(edit_of_exported(learnt)(base, source), learnt.edit(1.0)(base, source), atol=1e-5)


def test_rotation_and_boundary_have_gradients():
    base, source = activations()
    learnt = bounded(0.5)
    (learnt.edit(0.9)(base, source).square().sum() + learnt.penalty(0.9)).backward()
    assert learnt.free.grad.abs().max() > 0
    assert learnt.boundary.grad.abs() > 0


def test_the_price_is_that_of_the_boundary():
    learnt = BoundedSubspace(free(), torch.tensor(0.25), Annealing(50.0, 0.1, 3.0, 0.01))
    assert learnt.penalty(0.0).item() == 0.75


@pytest.mark.parametrize(("given", "kept"), [(-0.2, 0.0), (1.2, 1.0), (0.4, 0.4)])
def test_the_boundary_stays_in_reach(given, kept):
    learnt = bounded(given)
    learnt.settle()
    assert learnt.boundary.item() == pytest.approx(kept)
