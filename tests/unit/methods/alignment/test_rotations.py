import numpy as np
import torch
from alignment_cases import model
from hypothesis import given
from hypothesis import strategies as st

from mibench.methods.alignment.rotations import orthogonal_operation, orthonormal, random_columns

sizes = st.tuples(st.integers(1, 12), st.integers(1, 12)).map(lambda pair: (max(pair), min(pair)))


def drawn(shape, seed, scale=1.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


@given(sizes, st.integers(0, 2**32), st.sampled_from([1e-3, 1.0, 1e3]))
def test_columns_are_orthonormal_and_span_what_the_free_ones_span_one_after_another(shape, seed, scale):
    free = drawn(shape, seed, scale)
    columns = orthonormal(free)
    assert (columns.T @ columns - torch.eye(shape[1])).abs().max() < 1e-9
    for count in range(1, shape[1] + 1):
        first = columns[:, :count]
        left = free[:, :count] - first @ (first.T @ free[:, :count])
        assert left.abs().max() < 1e-8 * scale


@given(sizes, st.integers(0, 2**32))
def test_orthonormal_columns_stay_as_they_are(shape, seed):
    columns = orthonormal(drawn(shape, seed))
    assert (orthonormal(columns) - columns).abs().max() < 1e-12


def test_gradients_agree_with_finite_differences():
    free = drawn((5, 3), 1).requires_grad_()
    target = drawn((5, 3), 2)
    assert torch.autograd.gradcheck(lambda w: (orthonormal(w) * target).sum(), (free,))


def test_square_ones_have_gradients_too():
    assert torch.autograd.gradcheck(lambda w: orthonormal(w)[:, :2].sum(), (drawn((4, 4), 3).requires_grad_(),))


def test_the_length_of_a_column_has_no_gradient():
    free = drawn((6, 2), 4).requires_grad_()
    (orthonormal(free) * drawn((6, 2), 5)).sum().backward()
    assert torch.allclose((free * free.grad).sum(0), torch.zeros(2, dtype=torch.float64), atol=1e-12)


def test_random_columns_are_in_the_type_that_the_model_sums_in_and_learnable():
    found = random_columns(16, 3, model(), torch.Generator().manual_seed(0))
    assert found.dtype == model().accumulate
    assert found.requires_grad
    assert found.is_leaf


def test_random_columns_are_those_of_the_generator():
    first, again, other = (random_columns(16, 3, model(), torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_the_operation_holds_orthonormal_float32_of_its_own():
    columns = orthonormal(drawn((16, 4), 6))
    operation = orthogonal_operation(columns)
    array = operation.tensors["rotation"]
    columns.zero_()
    assert array.dtype == np.float32
    assert np.abs(array.T @ array - np.eye(4)).max() < 1e-6
