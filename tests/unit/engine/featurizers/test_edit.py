from __future__ import annotations

import featurizer_examples as by_hand
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mibench.artifacts.featurizers.checks import KINDS
from mibench.artifacts.featurizers.featurizers import SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import ArtifactError
from mibench.core.sites import Site
from mibench.engine.featurizers.edit import edit_of, features, interchange, invertibility_error
from mibench.engine.featurizers.operations import TensorOperation, apply, as_data, forward, inverse, on_device

SITE = Site(1, "last")
INTERCHANGES = [kind for kind, spec in KINDS.items() if not spec.edit]
SAES = [
    {"act": "relu"},
    {"act": "relu", "apply_b_dec_to_input": True},
    {"act": "jumprelu"},
    {"act": "jumprelu", "threshold": 0.4},
    {"act": "batchtopk", "threshold": 0.2},
    {"act": "topk", "k": 3},
]


def vectors(seed, d=6, rows=4, positions=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, positions, d)), rng.normal(size=(rows, positions, d))


def edited(operations, select, base, source, dtype=torch.float64):
    edit = edit_of(SiteFeaturizer(SITE, tuple(operations), select), device="cpu", dtype=dtype)
    return edit(torch.tensor(base), torch.tensor(source))


def expected(operations, indices, base, source):
    found = np.empty_like(base)
    for place in np.ndindex(base.shape[:-1]):
        found[place] = by_hand.interchange(operations, list(indices), base[place], source[place])
    return found


@pytest.mark.parametrize("kind", INTERCHANGES)
@pytest.mark.parametrize("indices", [(0,), (3, 1), (0, 1, 2, 3)])
def test_an_interchange_is_what_the_definition_says(kind, indices):
    base, source = vectors(0)
    operations = [by_hand.example(kind, np.random.default_rng(1))]
    found = edited(operations, indices, base, source)
    np.testing.assert_allclose(found.numpy(), expected(operations, indices, base, source), rtol=0, atol=1e-12)


@pytest.mark.parametrize("options", SAES, ids=str)
def test_every_dictionary_is_what_the_definition_says(options):
    base, source = vectors(3)
    operations = [by_hand.sae(np.random.default_rng(4), 6, **options)]
    found = edited(operations, (0, 2, 5, 7), base, source)
    np.testing.assert_allclose(found.numpy(), expected(operations, (0, 2, 5, 7), base, source), rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["additive", "affine"])
@pytest.mark.parametrize("act", by_hand.NETWORK_ACTS)
def test_every_coupling_is_what_the_definition_says(form, act):
    base, source = vectors(5)
    operations = [by_hand.coupling(np.random.default_rng(6), 6, 2, form=form, act=act)]
    found = edited(operations, (1, 4), base, source)
    np.testing.assert_allclose(found.numpy(), expected(operations, (1, 4), base, source), rtol=0, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["affine", "linear", "householder", "coupling", "identity"]), max_size=3), st.data())
def test_pipelines_carry_every_error_term(kinds, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    last = data.draw(st.sampled_from(["orthogonal", "sae", "coupling"]))
    operations = [by_hand.example(kind, rng) for kind in [*kinds, last]]
    n_features = SiteFeaturizer(SITE, tuple(operations), "all").validate(6)
    indices = data.draw(st.sets(st.integers(0, n_features - 1)))
    base, source = vectors(7, rows=1)
    found = edited(operations, tuple(indices), base, source)
    np.testing.assert_allclose(found.numpy(), expected(operations, indices, base, source), rtol=0, atol=1e-9)


def test_errors_in_the_middle_of_a_pipeline_with_coupling_are_carried():
    rng = np.random.default_rng(8)
    operations = [
        Operation("orthogonal", {"rotation": by_hand.rotation(rng, 6, 4)}),
        by_hand.coupling(rng, 4, form="affine"),
        Operation("orthogonal", {"rotation": by_hand.rotation(rng, 4, 2)}),
    ]
    base, source = vectors(9)
    found = edited(operations, (1,), base, source)
    np.testing.assert_allclose(found.numpy(), expected(operations, (1,), base, source), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("kind", INTERCHANGES)
@pytest.mark.parametrize("empty", [(), np.zeros(4, bool)], ids=["list", "mask"])
def test_an_empty_selection_gives_the_base_bit_for_bit(kind, dtype, empty):
    base, source = (torch.tensor(array).to(dtype) for array in vectors(10))
    one = SiteFeaturizer(SITE, (by_hand.example(kind, np.random.default_rng(1)),), empty)
    assert torch.equal(edit_of(one, device="cpu", dtype=torch.float32)(base, source), base)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([torch.float16, torch.bfloat16, torch.float32, torch.float64]))
def test_all_features_of_the_identity_give_the_source_bit_for_bit(seed, dtype):
    base, source = (torch.tensor(array).to(dtype) for array in vectors(seed))
    one = SiteFeaturizer(SITE, (Operation("identity"),), "all")
    assert torch.equal(edit_of(one, device="cpu", dtype=torch.float32)(base, source), source)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sets(st.integers(0, 5)))
def test_entries_of_the_identity_are_copied_and_the_others_are_left(seed, indices):
    base, source = vectors(seed)
    found = edited([Operation("identity")], tuple(indices), base, source, torch.float32).numpy()
    taken = sorted(indices)
    rest = sorted(set(range(6)) - indices)
    assert np.array_equal(found[..., taken], source[..., taken])
    assert np.array_equal(found[..., rest], base[..., rest])


@pytest.mark.parametrize("kind", sorted(set(INTERCHANGES) - {"coupling"}))
def test_the_same_source_as_base_changes_nothing_at_all(kind):
    base, _ = (array.astype(np.float32) for array in vectors(11))
    found = edited([by_hand.example(kind, np.random.default_rng(1))], (0, 2), base, base, torch.float32)
    assert np.array_equal(found.numpy(), base)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6), st.data())
def test_what_is_orthogonal_to_the_selected_columns_is_untouched(seed, k, data):
    base, source = vectors(seed)
    rotation = by_hand.rotation(np.random.default_rng(seed), 6, k)
    indices = sorted(data.draw(st.sets(st.integers(0, k - 1), min_size=1)))
    found = edited([Operation("orthogonal", {"rotation": rotation})], tuple(indices), base, source).numpy()
    chosen = rotation[:, indices]
    away = np.eye(6) - chosen @ chosen.T
    np.testing.assert_allclose(found @ away, base @ away, rtol=0, atol=1e-13)
    np.testing.assert_allclose(found @ chosen, source @ chosen, rtol=0, atol=1e-13)
    np.testing.assert_allclose(found, base + (source - base) @ chosen @ chosen.T, rtol=0, atol=1e-13)


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 4))
def test_the_order_of_indices_and_a_mask_of_them_are_the_same_selection(order, size):
    base, source = vectors(12)
    operations = [by_hand.example("sae", np.random.default_rng(1))]
    indices = tuple(order[:size])
    mask = np.zeros(11, dtype=bool)
    mask[list(indices)] = True
    found = edited(operations, indices, base, source)
    assert torch.equal(found, edited(operations, tuple(sorted(indices)), base, source))
    assert torch.equal(found, edited(operations, mask, base, source))


def test_computing_is_in_the_asked_type_and_the_result_in_that_of_the_base():
    base, source = (torch.tensor(array).to(torch.bfloat16) for array in vectors(13))
    rotation = by_hand.rotation(np.random.default_rng(0), 6, 3)
    edit = edit_of(
        SiteFeaturizer(SITE, (Operation("orthogonal", {"rotation": rotation}),), "all"),
        device="cpu",
        dtype=torch.float32,
    )
    found = edit(base, source)
    exact = base.double() + (source.double() - base.double()) @ torch.tensor(rotation @ rotation.T)
    assert found.dtype == torch.bfloat16
    assert (found.double() - exact).abs().max() <= 2**-8 * exact.abs().max()


def test_a_feature_that_the_activation_does_not_have_is_refused():
    base, source = vectors(0)
    with pytest.raises(ArtifactError, match=r"(?s)cannot be used"):
        edited([Operation("identity")], (6,), base, source)


def test_a_low_rank_edit_is_reft_and_does_not_look_at_the_source():
    base, source = vectors(14)
    operation = by_hand.example("low_rank_edit", np.random.default_rng(1))
    rotation, weight, bias = (operation.tensors[name] for name in ("rotation", "weight", "bias"))
    found = edited([operation], "all", base, source)
    np.testing.assert_allclose(found, base + (base @ weight + bias - base @ rotation) @ rotation.T, atol=1e-13)
    assert torch.equal(found, edited([operation], "all", base, base))


@pytest.mark.parametrize("kind", INTERCHANGES)
def test_going_there_and_back_is_exact_and_so_is_the_helper(kind):
    x = torch.tensor(vectors(15)[0])
    operation = by_hand.example(kind, np.random.default_rng(1))
    tensors = on_device(operation, device="cpu", dtype=torch.float64)
    found, error = forward(tensors, x)
    assert torch.equal(found, apply(tensors, x))
    assert (inverse(tensors, found, error) - x).abs().max() <= 1e-12
    one = SiteFeaturizer(SITE, (operation,), "all")
    assert invertibility_error(one, x) <= 1e-14
    np.testing.assert_allclose(
        features(one, x), np.apply_along_axis(lambda v: by_hand.apply(operation, v)[0], -1, x), atol=1e-12
    )


def test_what_the_features_lack_is_measured_without_the_error_terms():
    x = torch.tensor(vectors(16)[0])
    rotation = by_hand.rotation(np.random.default_rng(2), 6, 2)
    one = SiteFeaturizer(SITE, (Operation("orthogonal", {"rotation": rotation}),), "all")
    lost = x.numpy() - x.numpy() @ rotation @ rotation.T
    share = np.linalg.norm(lost) / np.linalg.norm(x.numpy())
    assert invertibility_error(one, x, carry_error=False) == pytest.approx(share, rel=1e-12)
    assert invertibility_error(one, torch.zeros(2, 6, dtype=torch.float64)) == 0


@pytest.mark.parametrize("kind", sorted(set(INTERCHANGES) - {"identity"}))
def test_gradients_reach_the_parameters_the_mask_and_both_activations(kind):
    rng = np.random.default_rng(1)
    operation = on_device(by_hand.example(kind, rng, 4), device="cpu", dtype=torch.float64)
    names = [name for name, tensor in operation.tensors.items() if tensor.is_floating_point()]
    base, source = (torch.tensor(array, requires_grad=True) for array in vectors(17, d=4, rows=1, positions=1))
    parameters = [operation.tensors[name].requires_grad_() for name in names]
    mask = torch.rand(apply(operation, base).shape[-1], dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def function(mask, base, source, *values):
        tensors = dict(operation.tensors) | dict(zip(names, values, strict=True))
        return interchange([TensorOperation(kind, tensors, operation.options)], mask, base, source)

    assert torch.autograd.gradcheck(function, (mask.requires_grad_(), base, source, *parameters))


def test_many_rotations_at_once_are_the_same_as_one_by_one():
    rng = np.random.default_rng(18)
    base, source = (torch.tensor(array) for array in vectors(18))
    rotations = torch.tensor(np.stack([by_hand.rotation(rng, 6, 2) for _ in range(3)]))
    many = interchange([TensorOperation("orthogonal", {"rotation": rotations[:, None]})], None, base, source)
    for rotation, found in zip(rotations, many, strict=True):
        alone = interchange([TensorOperation("orthogonal", {"rotation": rotation})], None, base, source)
        torch.testing.assert_close(found, alone, rtol=0, atol=1e-14)


def test_a_mask_of_zeros_and_ones_is_the_selection():
    base, source = vectors(19)
    operation = by_hand.example("orthogonal", np.random.default_rng(1))
    tensors = on_device(operation, device="cpu", dtype=torch.float64)
    mask = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    soft = interchange([tensors], mask, torch.tensor(base), torch.tensor(source))
    torch.testing.assert_close(soft, edited([operation], (1, 3), base, source), rtol=0, atol=1e-14)


def test_a_trained_operation_becomes_data_again():
    rotation = torch.tensor(by_hand.rotation(np.random.default_rng(0), 6, 2), dtype=torch.float32, requires_grad=True)
    data = as_data(TensorOperation("orthogonal", {"rotation": rotation}))
    assert np.array_equal(data.tensors["rotation"], rotation.detach().numpy())
    half = as_data(TensorOperation("affine", {"mean": torch.ones(3).bfloat16(), "scale": torch.ones(3).half()}))
    assert {str(array.dtype) for array in half.tensors.values()} == {"float32"}
    block = by_hand.coupling(np.random.default_rng(0), 6)
    back = as_data(on_device(block, device="cpu", dtype=torch.float64))
    assert SiteFeaturizer(SITE, (back,), "all").validate(6) == 6
    assert np.array_equal(back.tensors["permutation"], block.tensors["permutation"])
