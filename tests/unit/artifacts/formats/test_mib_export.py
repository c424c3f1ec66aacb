from __future__ import annotations

import json
import os
from dataclasses import replace

import featurizer_examples as examples
import mib_triplets as mib
import numpy as np
import pytest

from mibench.artifacts.featurizers.featurizers import Featurizers, SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.formats.mib_export import export_triplets
from mibench.artifacts.formats.mib_featurizers import import_triplets
from mibench.core.errors import ArtifactError, MibenchError, UsageError
from mibench.core.sites import Component, Site

RNG = np.random.default_rng(0)


def rotated(d=8, k=3):
    return Operation("orthogonal", {"rotation": examples.rotation(RNG, d, k, np.float32)})


def featurizers(*sites, task="mib/mcqa", model="gemma-2-2b", variable="answer"):
    return Featurizers(model, task, variable, tuple(SiteFeaturizer(*site) for site in sites))


def test_what_is_exported_comes_back(tmp_path):
    made = featurizers(
        (Site(0, "last"), (rotated(),), "all"),
        (Site(1, "last"), (rotated(8, 8),), (2, 5)),
        (Site(2, "correct_symbol"), (rotated(),), np.array([True, False, True])),
        (Site(3, "last"), (Operation("identity"),), ()),
        (Site(4, "last"), (Operation("identity"),), (1, 3)),
    )
    done = export_triplets(made, tmp_path / "out")
    assert done.folder.name == "4_answer_MCQA_Gemma2ForCausalLM_answer"
    assert done.units[0] == "ResidualStream(Layer-0,Token-last_token)"
    back = import_triplets(tmp_path / "out").featurizers
    assert back.digest == made.digest
    assert len(list(done.folder.iterdir())) == 15


@pytest.mark.parametrize("shape", [(8, 1), (8, 3), (8, 8)])
def test_mibs_loader_rebuilds_the_same_rotation(tmp_path, shape):
    operation = rotated(*shape)
    made = featurizers((Site(0, "last"), (operation,), (0,)), (Site(1, "last"), (Operation("identity"),), "all"))
    done = export_triplets(made, tmp_path)
    rebuilt = mib.load(done.folder, done.units[0]).numpy()
    np.testing.assert_allclose(rebuilt, operation.tensors["rotation"], rtol=0, atol=2e-7)
    assert mib.load(done.folder, done.units[1]) is None
    assert json.loads((done.folder / f"{done.units[0]}_indices").read_text()) == [0]
    assert json.loads((done.folder / f"{done.units[1]}_indices").read_text()) is None


def test_heads_and_the_positions_of_each_task_have_mibs_names(tmp_path):
    head = Site(7, "all", Component.HEAD, 3)
    ioi = featurizers((head, (rotated(4, 2),), "all"), task="mib/ioi", model="gpt2", variable="output_token")
    assert export_triplets(ioi, tmp_path).units == ("AttentionHead(Layer-7,Head-3,Token-all)",)
    carry = featurizers((Site(1, "last"), (rotated(),), "all"), task="mib/arithmetic-addition", variable="ones_carry")
    assert export_triplets(carry, tmp_path).units == ("ResidualStream(Layer-1,Token-last)",)
    city = featurizers((Site(1, "entity_last"), (rotated(),), "all"), task="mib/ravel", variable="Country")
    assert export_triplets(city, tmp_path).units == ("ResidualStream(Layer-1,Token-entity_last_token)",)
    mine = replace(carry, sites=(SiteFeaturizer(Site(1, "operand"), (rotated(),), "all"),), variable="tens")
    done = export_triplets(mine, tmp_path, position_map={"op2_last": "operand", "unused": None})
    assert done.units == ("ResidualStream(Layer-1,Token-op2_last)",)
    assert done.notes == ()


def test_the_same_content_gives_the_same_bytes(tmp_path):
    made = featurizers((Site(0, "last"), (rotated(),), (0,)))
    first, second = (export_triplets(made, tmp_path / name).folder for name in "ab")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_how_mibs_evaluation_differs_is_said(tmp_path):
    made = featurizers((Site(0, "noun"), (rotated(),), (0,)), (Site(1, "noun"), (rotated(),), "all"))
    indices, position = export_triplets(made, tmp_path).notes
    assert "drops the feature indices of 1 places" in indices
    assert "noun" in position


def test_centring_goes_since_no_interchange_depends_on_it(tmp_path):
    mean = Operation("affine", {"mean": RNG.normal(size=8), "scale": np.ones(8)})
    operation = rotated()
    done = export_triplets(featurizers((Site(0, "last"), (mean, operation), "all")), tmp_path)
    (back,) = import_triplets(done.folder).featurizers.sites
    assert np.array_equal(back.operations[0].tensors["rotation"], operation.tensors["rotation"])


OPERATIONS = {
    "affine": (Operation("affine", {"mean": np.zeros(8), "scale": np.full(8, 2.0)}),),
    "sae": (examples.sae(RNG, 8, act="relu"),),
    "coupling": (examples.coupling(RNG, 8),),
    "linear": (examples.example("linear", RNG, 8),),
    "orthogonal, orthogonal": (rotated(8, 4), rotated(4, 2)),
}


@pytest.mark.parametrize("kinds", OPERATIONS)
def test_operations_that_mib_does_not_have_are_refused_with_the_site_and_the_reason(tmp_path, kinds):
    made = featurizers((Site(0, "last"), (rotated(),), "all"), (Site(1, "last"), OPERATIONS[kinds], "all"))
    with pytest.raises(ArtifactError, match=rf"(?s)cannot hold these.*residual-post.L1@last.*{kinds}"):
        export_triplets(made, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "site",
    [Site(0, "last", Component.MLP), Site(0, "last", Component.RESIDUAL_PRE), Site(0, "last", Component.HEAD, 1)],
)
def test_places_that_mib_does_not_have_are_refused(tmp_path, site):
    with pytest.raises(ArtifactError, match="cannot hold these"):
        export_triplets(featurizers((site, (rotated(),), "all")), tmp_path / "out")


@pytest.mark.parametrize("said", [{"task": "mcqa"}, {"model": "my-own"}, {"variable": "a/b"}, {"variable": "../../x"}])
def test_a_cell_that_mib_does_not_have_is_refused(tmp_path, said):
    with pytest.raises(ArtifactError):
        export_triplets(featurizers((Site(0, "last"), (rotated(),), "all"), **said), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_and_another_cell_is_added(tmp_path):
    made = featurizers((Site(0, "last"), (rotated(),), "all"))
    folder = export_triplets(made, tmp_path / "out").folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(UsageError, match="not overwritten"):
        export_triplets(replace(made, sites=(SiteFeaturizer(Site(5, "last"), (rotated(),), "all"),)), tmp_path / "out")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    export_triplets(replace(made, variable="answer_pointer"), tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 2
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="not overwritten"):
        export_triplets(made, tmp_path / "file")


def test_an_export_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(MibenchError, match="No space"):
        export_triplets(featurizers((Site(0, "last"), (rotated(),), "all")), tmp_path)
    assert not list(tmp_path.iterdir())
