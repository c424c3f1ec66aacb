"""What every registered method of the causal-variable track has to keep."""

from __future__ import annotations

import dataclasses
import inspect
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from alignment_cases import EARLY, LAST, WIDTH, model, rows, view

from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import load_featurizers, save_featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.core.specs import MethodRef
from mibench.methods.method import METHODS, Method
from mibench.methods.variable_view import VariableView
from mibench.runner.cells.meter import Meter

NAMES = [name for name in METHODS.names() if METHODS.get(name).metadata["track"] == "variable"]
NEEDS = {"train", "validation", "gradients", "randomness"}
QUICK = {
    "boundless-das": {"epochs": 1},
    "das": {"epochs": 1},
    "dbm": {"epochs": 1, "sparsities": "0,1"},
    "dbm-pca": {"epochs": 1, "sparsities": "0,1"},
    "dbm-sae": {"epochs": 1, "sparsities": "0,1"},
    "multi-task-das": {"epochs": 1},
    "revnet": {"epochs": 1},
}
"""Parameters of methods that take long."""

every_method = pytest.mark.parametrize("name", NAMES)


def valued(found):
    """Rows whose variable has three values."""
    return tuple(
        dataclasses.replace(row, base_value=str(place % 3), source_value=str(place % 2))
        for place, row in enumerate(found)
    )


def cell(**changes: object) -> VariableView:
    shown = {"train": valued(rows()), "validation": valued(rows(12, seed=1))}
    return view((EARLY,), (LAST,), **(shown | changes))


def method(name: str) -> Method:
    found = METHODS.load(name)
    assert isinstance(found, Method)
    return found


@cache
def dictionary(folder: Path) -> str:
    """A file with a dictionary at each site, which is an identity of both signs."""
    one = np.eye(WIDTH, dtype=np.float32)
    both = np.concatenate([one, -one], axis=1)
    biases = {"b_enc": np.zeros(2 * WIDTH, np.float32), "b_dec": np.zeros(WIDTH, np.float32)}
    tensors = {"w_enc": both, "w_dec": both.T.copy(), **biases}
    sae = Operation("sae", tensors, {"act": "relu"})
    path = folder / "dictionary.safetensors"
    sites = dict.fromkeys((EARLY, LAST), (sae,))
    save_featurizers(sites, path, model="tiny", task="toy", variable="v")
    return str(path)


@pytest.fixture
def params(tmp_path):
    def of(name):
        given = QUICK.get(name, {})
        return method(name).parameters(given | ({"dictionary": dictionary(tmp_path)} if name == "dbm-sae" else {}))

    return of


def found_by(name: str, params: dict[str, object], **changes: object) -> Featurizers:
    made = method(name).function(cell(**changes), **params)
    assert isinstance(made, Featurizers)
    return made


@every_method
def test_what_it_declares_is_what_the_registry_reads_without_importing_it(name):
    found, declared = method(name), METHODS.get(name).metadata
    assert (found.name, found.track, found.version) == (name, "variable", declared["version"])
    assert list(found.needs) == list(declared["needs"])
    assert set(found.needs) <= NEEDS
    assert found.levels == ()


@every_method
def test_its_docstring_gives_cost_source_and_parameters(name):
    doc = inspect.getdoc(method(name).function) or ""
    assert "Cost:" in doc
    assert "Source:" in doc
    assert all(f"{parameter}:" in doc for parameter in method(name).known)


@every_method
def test_it_hands_in_featurizers_of_the_cells_sites_that_survive_a_file(name, params, tmp_path):
    found = found_by(name, params(name))
    anatomy = model().anatomy
    found.validate()
    found.check_model(anatomy.d_model, anatomy.head_dim, anatomy.n_layers, anatomy.n_heads)
    assert {one.site for one in found.sites} <= set(cell().sites)
    save_featurizers(found, tmp_path / "made.safetensors")
    assert load_featurizers(tmp_path / "made.safetensors").digest == found.digest


@every_method
def test_the_same_seed_gives_the_same_bits_and_another_one_others_exactly_if_it_says_so(name, params):
    given = params(name)
    digests = [found_by(name, given, seed=seed).digest for seed in (3, 3, 4)]
    assert digests[0] == digests[1]
    # A mask may come out the same from another order of the rows.
    if not name.startswith("dbm"):
        assert (digests[1] != digests[2]) == ("randomness" in method(name).needs)


@every_method
def test_it_sees_only_the_rows_that_it_says_it_needs(name, params):
    needs = method(name).needs
    shown = {part: () for part in ("train", "validation") if part not in needs}
    assert found_by(name, params(name), **shown).sites


@every_method
def test_it_takes_gradients_exactly_if_it_says_so(name, params):
    with Meter() as meter:
        found_by(name, params(name), counter=meter)
    assert (meter.cost().backward_passes > 0) == ("gradients" in method(name).needs)


@every_method
def test_its_parameters_come_back_from_a_record_as_they_were(name, params):
    found, given = method(name), params(name)
    stored = json.loads(MethodRef(name=name, params=given).model_dump_json())["params"]
    assert found.parameters(stored) == given


def test_the_view_has_no_way_to_the_test_split():
    words = [name for name in dir(VariableView) if not name.startswith("_")]
    words += [field.name for field in dataclasses.fields(VariableView)]
    assert not [word for word in words if "test" in word or "split" in word]
