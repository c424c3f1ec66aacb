from __future__ import annotations

import featurizer_examples as examples
import numpy as np
import pytest
import torch

from mibench.artifacts.featurizers.checks import KINDS, check_pipeline, feature_width
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.errors import ArtifactError

RNG = np.random.default_rng(0)
EYE = np.eye(4)
WIDTHS = {"orthogonal": 4, "sae": 11, "low_rank_edit": 4}


def with_tensor(operation, name, array):
    return Operation(operation.kind, dict(operation.tensors) | {name: array}, operation.options)


def with_options(operation, **options):
    return Operation(operation.kind, operation.tensors, dict(operation.options) | options)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_how_many_features_come_out(kind):
    operation = examples.example(kind, RNG, 6)
    wanted = WIDTHS.get(kind, 6)
    assert check_pipeline([operation], 6) == feature_width([operation], 6) == wanted
    unknown = None if kind == "identity" else wanted
    assert check_pipeline([operation], None) == feature_width([operation]) == unknown


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"identity"}))
def test_an_operation_for_another_width_is_refused(kind):
    with pytest.raises(ArtifactError, match=r"(?s)shape"):
        check_pipeline([examples.example(kind, RNG, 6)], 7)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"identity"}))
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(kind, wrong):
    operation = examples.example(kind, RNG)
    for name, array in operation.tensors.items():
        if array.dtype != np.int64:
            bad = array.copy()
            bad.flat[-1] = wrong
            with pytest.raises(ArtifactError, match="NaN or infinity"):
                check_pipeline([with_tensor(operation, name, bad)], None)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"identity"}))
def test_tensors_are_those_of_the_kind_in_its_types_and_shapes(kind):
    operation = examples.example(kind, RNG)
    name = next(iter(operation.tensors))
    missing = {key: array for key, array in operation.tensors.items() if key != name}
    extra = dict(operation.tensors) | {"more": np.ones(6)}
    for tensors in (missing, extra):
        with pytest.raises(ArtifactError, match="has the tensors"):
            check_pipeline([Operation(kind, tensors, operation.options)], None)
    array = operation.tensors[name]
    for bad in (array.astype(np.float16), array.astype(bool), array.astype(object), array.astype(np.int32)):
        with pytest.raises(ArtifactError, match="holds"):
            check_pipeline([with_tensor(operation, name, bad)], None)
    with pytest.raises(ArtifactError, match="has shape"):
        check_pipeline([with_tensor(operation, name, array[None])], None)


def test_each_kind_checks_its_numbers():
    def refused(operation, why):
        with pytest.raises(ArtifactError, match=f"(?s){why}"):
            check_pipeline([operation], None)

    mean = np.zeros(3)
    refused(Operation("affine", {"mean": mean, "scale": np.array([1.0, 0, 2])}), "is 0 at 1")
    refused(Operation("affine", {"mean": mean, "scale": np.array([1.0, 1, 5e-324])}), "is 0 at 2")
    refused(Operation("orthogonal", {"rotation": 1.001 * EYE}), "misses the identity by 0.002")
    refused(Operation("orthogonal", {"rotation": 1e200 * EYE}), "misses the identity")
    refused(Operation("orthogonal", {"rotation": np.eye(2, 3)}), "3 columns of 2")
    refused(Operation("linear", {"weight": EYE, "inverse": 1.01 * EYE}), "misses the identity by 0.01")
    refused(Operation("householder", {"vectors": np.array([[1.0, 0], [0, 0]])}), "Row 1")
    refused(Operation("householder", {"vectors": np.array([[1e200, 0]])}), "Row 0")
    sae = examples.sae(RNG, 4, act="jumprelu")
    refused(with_tensor(sae, "threshold", -np.ones(11)), "negative")
    refused(with_options(sae, act="relu"), "has the tensors")
    refused(with_options(examples.sae(RNG, 4, act="relu"), k=3), "k 3")
    refused(with_options(examples.sae(RNG, 4, act="relu"), act="topk"), "k None")
    refused(with_options(examples.sae(RNG, 4, act="topk", k=2), k=12), "12 of 11")
    refused(with_options(examples.sae(RNG, 4, act="topk", k=2), threshold=0.5), "has a threshold")
    block = examples.coupling(RNG, 4)
    refused(with_tensor(block, "permutation", np.array([0, 1, 2, 2])), "each of 4")
    refused(with_options(block, form="affine"), "maps 2 to 2 numbers, not 2 to 4")
    refused(with_options(block, split=4), "splits off 4 of 4")
    refused(with_options(block, layers=3), "has the tensors")
    edit = examples.example("low_rank_edit", RNG)
    refused(with_tensor(edit, "rotation", 2 * edit.tensors["rotation"]), "not orthonormal")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"act": "gelu"}, "act"),
        ({"act": "jumprelu", "threshold": float("nan")}, "threshold"),
        ({"act": "jumprelu", "threshold": "0.1"}, "threshold"),
        ({"act": "topk", "k": True}, "k"),
        ({"act": "relu", "code": "import os"}, "code"),
        ({}, "act"),
    ],
)
def test_options_are_checked_without_conversion(options, why):
    tensors = examples.sae(RNG, 4, act="relu").tensors
    with pytest.raises(ArtifactError, match=f"(?s)Options of sae.*{why}"):
        check_pipeline([Operation("sae", tensors, options)], None)


def test_a_wide_or_narrow_linear_map_needs_no_inverse_that_undoes_it():
    weight = RNG.normal(size=(4, 2))
    assert check_pipeline([Operation("linear", {"weight": weight, "inverse": RNG.normal(size=(2, 4))})], 4) == 2
    wide = Operation("linear", {"weight": weight.T, "inverse": RNG.normal(size=(4, 2))})
    assert check_pipeline([wide], 2) == 4


def test_operations_fit_together_in_order():
    narrow = Operation("orthogonal", {"rotation": np.eye(6, 2)})
    scale = Operation("affine", {"mean": np.zeros(2), "scale": np.ones(2)})
    assert check_pipeline([narrow, scale], 6) == 2
    with pytest.raises(ArtifactError, match="shape"):
        check_pipeline([scale, narrow], 6)


def test_there_is_at_least_one_operation_and_an_edit_stands_alone():
    edit = examples.example("low_rank_edit", RNG)
    with pytest.raises(ArtifactError, match="0 operations"):
        check_pipeline([], 6)
    with pytest.raises(ArtifactError, match="65 operations"):
        check_pipeline([Operation("identity")] * 65, 6)
    with pytest.raises(ArtifactError, match="stands with other"):
        check_pipeline([Operation("identity"), edit], 6)


@pytest.mark.parametrize("kind", ["eval", "", None, 3, ["identity"]])
def test_only_kinds_of_the_list_are_read(kind):
    with pytest.raises(ArtifactError, match="no kind of operation"):
        check_pipeline([Operation(kind)], None)


def test_arrays_are_copied_and_kept_read_only():
    mean = np.zeros(3)
    operation = Operation("affine", {"mean": mean, "scale": np.ones(3)})
    mean[0] = 5
    assert operation.tensors["mean"][0] == 0
    with pytest.raises(ValueError, match="read-only"):
        operation.tensors["mean"][0] = 1


def test_a_tensor_of_torch_will_do_and_one_that_is_trained_is_refused():
    assert np.array_equal(Operation("affine", {"mean": torch.ones(3)}).tensors["mean"], np.ones(3))
    with pytest.raises(ArtifactError, match=r"(?s)no array.*detached"):
        Operation("affine", {"mean": torch.ones(3, requires_grad=True)})


def test_parameters_are_the_floating_point_numbers():
    assert examples.coupling(RNG, 6, 2, hidden=(5,)).n_parameters == 2 * 5 + 5 + 5 * 4 + 4
    assert Operation("orthogonal", {"rotation": np.eye(6, 2)}).n_parameters == 12
