from __future__ import annotations

import json
import os
import pickle  # noqa: TID251 - to make hostile files
import zipfile

import mib_triplets as mib
import numpy as np
import pytest
import torch

from mibench.artifacts.formats.mib_featurizers import import_triplets, is_triplets, task_of_triplets
from mibench.artifacts.formats.mib_names import MODELS, POSITIONS, TASKS, parse_file, parse_folder
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.sites import Component, Site
from mibench.models.catalogue import CATALOGUE

NAME = "4_answer_MCQA_Gemma2ForCausalLM_answer_pointer"
UNIT = "ResidualStream(Layer-{},Token-{})"


def unit(layer, token="last_token"):
    return UNIT.format(layer, token)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "submission" / NAME


def test_a_folder_of_triplets_becomes_featurizers(folder):
    modules = [mib.subspace(8, 3), mib.subspace(8, 8, seed=1)]
    mib.save(folder, unit(0), modules[0])
    mib.save(folder, unit(1, "correct_symbol"), modules[1], indices=[1, 4])
    mib.save(folder, unit(2), indices=None)
    mib.save(folder, unit(3), indices=[])
    done = import_triplets(folder)
    found = done.featurizers
    assert (found.model, found.task, found.variable) == ("gemma-2-2b", "mib/mcqa", "answer_pointer")
    selects = {Site(0, "last"): "all", Site(1, "correct_symbol"): (1, 4), Site(2, "last"): "all", Site(3, "last"): ()}
    assert {one.site: one.select for one in found.sites} == selects
    for site, module in ((Site(0, "last"), modules[0]), (Site(1, "correct_symbol"), modules[1])):
        (operation,) = found[site].operations
        assert np.array_equal(operation.tensors["rotation"], module.rotate.weight.detach().numpy())
    assert [part.kind for part in found[Site(2, "last")].operations] == ["identity"]
    assert set(done.report.read) == {site.name for site in selects}
    assert done.report.skipped == ()


def test_heads_are_read_at_all_tokens(tmp_path):
    folder = tmp_path / "ioi_task_GPT2LMHeadModel_output_token"
    mib.save(folder, "AttentionHead(Layer-7,Head-3,Token-all)", mib.subspace(4, 2), indices=[0])
    found = import_triplets(folder).featurizers
    assert (found.model, found.task, found.variable) == ("gpt2", "mib/ioi", "output_token")
    assert found[Site(7, "all", Component.HEAD, 3)].select == (0,)


@pytest.mark.parametrize("mark", "-_: ")
def test_any_character_stands_before_numbers_and_names(mark):
    found, part = parse_file(f"ResidualStream(Layer{mark}12,Token{mark}op2_last)_inverse_featurizer")
    assert (found.layer, found.head, found.token, part) == (12, None, "op2_last", "inverse_featurizer")
    found, part = parse_file(f"AttentionHead(Layer{mark}7,Head{mark}3,Token{mark}all)_indices")
    assert (found.layer, found.head, found.token, part) == (7, 3, "all", "indices")


@pytest.mark.parametrize(
    "name",
    [
        "ResidualStream(Layer-1,Head-2,Token-all)_indices",
        "AttentionHead(Layer-1,Token-all)_indices",
        "ResidualStream(Layer-x,Token-all)_indices",
        "ResidualStream(Layer-99999,Token-all)_indices",
        "ResidualStream(Layer-1,Token-all)_weights",
        "README.md",
    ],
)
def test_other_files_are_no_part_of_a_triplet(name):
    assert parse_file(name) is None


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("model", MODELS)
def test_the_name_of_a_folder_is_read(task, model):
    cell = parse_folder(f"{task}_{model}_output_position")
    assert (cell.task, cell.model, cell.variable) == (task, model, "output_position")
    assert set(POSITIONS) == set(TASKS)


def test_models_are_those_of_the_catalogue():
    assert {name for names in MODELS.values() for name in names} <= set(CATALOGUE)


def test_a_llama_has_to_be_stated_and_a_wrong_model_is_refused(tmp_path):
    llama = tmp_path / "arithmetic_LlamaForCausalLM_ones_carry"
    mib.save(llama, unit(0, "op2_last"), mib.subspace(8, 3))
    with pytest.raises(UsageError, match=r"(?s)does not say its model.*llama-3.1-8b-instruct, llama-3.1-8b.*--model"):
        import_triplets(llama)
    assert import_triplets(llama, model="llama-3.1-8b").featurizers.model == "llama-3.1-8b"
    with pytest.raises(UsageError, match="gemma-2-2b is a Gemma2ForCausalLM"):
        import_triplets(llama, model="gemma-2-2b")
    assert import_triplets(llama, model="of-my-own").featurizers.model == "of-my-own"


@pytest.mark.parametrize("name", ["sums_Gemma2ForCausalLM_carry", "arithmetic_gemma_ones_carry", "arithmetic"])
def test_a_folder_that_names_no_cell_is_refused(tmp_path, name):
    mib.save(tmp_path / name, unit(0))
    with pytest.raises(ArtifactError, match=r"cannot be used as featurizers"):
        import_triplets(tmp_path / name, model="gemma-2-2b")


def test_a_submission_with_one_folder_is_read_and_of_several_one_is_named(folder):
    mib.save(folder, unit(0))
    assert task_of_triplets(folder.parent) == "mib/mcqa"
    assert len(import_triplets(folder.parent).featurizers.sites) == 1
    mib.save(folder.parent / "ARC_easy_Gemma2ForCausalLM_answer", unit(0))
    with pytest.raises(ArtifactError, match=r"(?s)2 folders.*4_answer.*ARC_easy"):
        import_triplets(folder.parent)


def test_one_level_of_folders_in_between_is_read(folder):
    mib.save(folder / "DAS_Gemma2ForCausalLM_answer_pointer", unit(0))
    assert is_triplets(folder)
    assert is_triplets(folder.parent)
    assert len(import_triplets(folder).featurizers.sites) == 1
    mib.save(folder / "DBM", unit(0))
    with pytest.raises(ArtifactError, match="2 folders of triplets"):
        import_triplets(folder)


def test_folders_of_something_else_are_no_triplets(tmp_path, folder):
    (tmp_path / "runs").mkdir()
    assert not is_triplets(tmp_path)
    assert not is_triplets(tmp_path / "none")
    folder.mkdir(parents=True)
    assert not is_triplets(folder)
    with pytest.raises(ArtifactError, match=r"(?s)Nothing in it can be read.*no files"):
        import_triplets(folder)
    with pytest.raises(UsageError, match="cannot be read"):
        import_triplets(tmp_path / "none")


def test_positions_are_those_of_the_task_and_the_rest_is_listed(folder):
    for layer, token in enumerate(["last_token", "correct_symbol", "my_token", "third word"]):
        mib.save(folder, unit(layer, token))
    known = {"last": "last", "last_token": "last", "answer-letter": "answer-letter", "correct_symbol": "answer-letter"}
    done = import_triplets(folder, positions=known)
    assert [one.site.position for one in done.featurizers.sites] == ["last", "answer-letter"]
    assert done.report.unmapped_positions == ("my_token", "third word")
    assert {one.unit for one in done.report.skipped} == {unit(2, "my_token"), unit(3, "third word")}
    mapped = import_triplets(folder, positions=known, position_map={"my_token": "last", "third word": None})
    assert [one.site.name for one in mapped.featurizers.sites][-1] == "residual-post.L2@last"
    assert mapped.report.unmapped_positions == ()
    assert [one.why for one in mapped.report.skipped] == ["The position map leaves it out."]


def test_without_the_tasks_positions_an_id_stands_for_itself(folder):
    mib.save(folder, unit(0, "my_token"))
    mib.save(folder, unit(1, "third word"))
    done = import_triplets(folder)
    assert [one.site.position for one in done.featurizers.sites] == ["my_token"]
    assert done.report.unmapped_positions == ("third word",)


def test_two_positions_that_are_mapped_to_one_place_are_not_both_read(folder):
    mib.save(folder, unit(0, "a"))
    mib.save(folder, unit(0, "b"))
    done = import_triplets(folder, position_map={"a": "last", "b": "last"})
    assert len(done.featurizers.sites) == 1
    assert "Another triplet" in done.report.skipped[0].why


def test_python_files_are_named_and_never_run(folder):
    mib.save(folder, unit(0))
    for place, name in ((folder.parent, "featurizer.py"), (folder.parent, "token_position.py"), (folder, "more.py")):
        (place / name).write_text("raise SystemExit('executed')")
    for path in (folder, folder.parent):
        assert {"featurizer.py", "token_position.py", "more.py"} == set(import_triplets(path).report.code)


@pytest.mark.parametrize(
    ("classes", "why"),
    [
        (("SAEFeaturizerModule", "SAEInverseFeaturizerModule"), "sparse autoencoder"),
        (("MyModule", "MyInverse"), "code of its own"),
        (("SubspaceFeaturizerModule", "SubspaceInverseFeaturizerModule"), "no rotation_matrix"),
        ((None, "x"), "does not name two classes"),
    ],
)
def test_classes_that_are_not_data_are_listed_with_the_reason_and_not_scored(folder, classes, why):
    mib.save(folder, unit(0), mib.subspace(8, 3))
    mib.save(folder, unit(1), classes=classes)
    done = import_triplets(folder)
    assert [one.site.layer for one in done.featurizers.sites] == [0]
    (skipped,) = done.report.skipped
    assert skipped.unit == unit(1)
    assert why in skipped.why
    assert done.report.legacy == {"identity_fallback": (unit(1),)}


ROTATION = torch.eye(8, 3)
BAD_ROTATIONS = {
    "not orthonormal": (2 * ROTATION, "orthonormal"),
    "too many columns": (torch.eye(3, 8), "8 columns of 3"),
    "nan": (ROTATION * float("nan"), "NaN"),
    "vector": (torch.ones(3), "has shape"),
    "empty": (torch.ones(0, 3), "has shape"),
    "integers": (ROTATION.bool(), "holds torch.bool"),
    "expanded": (torch.ones(1, 1).expand(3, 3), "repeats values"),
    "list": ([[1.0]], "not an ordinary tensor"),
}


@pytest.mark.parametrize("case", BAD_ROTATIONS)
def test_a_rotation_that_is_none_is_listed_with_the_reason(folder, case):
    rotation, why = BAD_ROTATIONS[case]
    mib.save(folder, unit(0), mib.subspace(8, 3))
    mib.save(folder, unit(1), mib.subspace(8, 3), config={"rotation_matrix": rotation})
    (skipped,) = import_triplets(folder).report.skipped
    assert why in skipped.why


def test_a_triplet_is_whole_and_its_parts_belong_together(folder):
    mib.save(folder, unit(0), mib.subspace(8, 3))
    mib.save(folder, unit(1), mib.subspace(8, 3), parts=("featurizer",))
    mib.save(folder, unit(2), mib.subspace(8, 3))
    mib.save(folder, unit(2), mib.subspace(8, 3, seed=5), parts=("inverse_featurizer",))
    mib.save(folder, unit(3), mib.subspace(8, 3))
    mib.save(folder, unit(3), parts=("inverse_featurizer",))
    (folder / f"{unit(4)}_indices").write_text("[0]")
    whys = {one.unit: one.why for one in import_triplets(folder).report.skipped}
    assert whys[unit(1)] == "It has no inverse_featurizer file."
    assert whys[unit(2)] == whys[unit(3)] == "The featurizer and its inverse do not belong together."
    assert whys[unit(4)] == "It has no featurizer file."


@pytest.mark.parametrize(
    "text", ["", "{}", "[0.5]", "[true]", '["0"]', "[-1]", "[0, 0]", "[3]", "[" * 10**5, "NaN", "1e999"]
)
def test_indices_that_are_none_are_listed_with_the_reason(folder, text):
    mib.save(folder, unit(0), mib.subspace(8, 3))
    mib.save(folder, unit(1), mib.subspace(8, 3))
    (folder / f"{unit(1)}_indices").write_text(text)
    done = import_triplets(folder)
    assert [one.unit for one in done.report.skipped] == [unit(1)]


def test_the_same_part_twice_is_refused(folder):
    mib.save(folder, unit(0))
    mib.save(folder, "ResidualStream(Layer_0,Token_last_token)")
    with pytest.raises(ArtifactError, match="are the same part"):
        import_triplets(folder)


def test_a_link_is_not_followed(folder, tmp_path):
    mib.save(folder, unit(0))
    mib.save(tmp_path / "elsewhere", unit(1))
    for part in ("featurizer", "inverse_featurizer"):
        (folder / f"{unit(1)}_{part}").symlink_to(tmp_path / "elsewhere" / f"{unit(1)}_{part}")
    assert [one.site.layer for one in import_triplets(folder).featurizers.sites] == [0]


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def _in_torch_zip(path, value):
    torch.save({"model_info": {"featurizer_class": "x"}}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, pickle.dumps(value, protocol=2) if name.endswith("data.pkl") else content)


@pytest.mark.parametrize("container", ["torch", "zip", "pickle"])
@pytest.mark.parametrize("part", ["featurizer", "inverse_featurizer", "indices"])
def test_a_hostile_pickle_is_refused_and_never_run(folder, tmp_path, container, part):
    proof = tmp_path / "executed"
    mib.save(folder, unit(0), mib.subspace(8, 3))
    mib.save(folder, unit(1), mib.subspace(8, 3), indices=[0])
    path, value = folder / f"{unit(1)}_{part}", {"model_info": Hostile(proof)}
    if container == "torch":
        torch.save(value, path)
    elif container == "zip":
        _in_torch_zip(path, value)
    else:
        path.write_bytes(pickle.dumps(value))
    done = import_triplets(folder)
    assert not proof.exists()
    (skipped,) = done.report.skipped
    assert skipped.unit == unit(1)
    if part != "indices" and container != "pickle":
        assert "asks to load 'posix system'" in skipped.why


def test_a_state_that_would_grow_a_tensor_is_refused(folder):
    """BUILD on a tensor calls its set_, here with more values than the file has."""

    class Grown:
        def __reduce__(self):
            tensor = torch.ones(24)
            function, arguments, *_ = tensor.__reduce_ex__(2)
            return function, arguments, (arguments[0], 0, (10**9, 1), (1, 1))

    mib.save(folder, unit(0), mib.subspace(8, 3))
    mib.save(folder, unit(1), mib.subspace(8, 3), config={"rotation_matrix": Grown()})
    (skipped,) = import_triplets(folder).report.skipped
    assert "BUILD" in skipped.why


def test_how_mib_scores_it_differently_is_said(folder):
    mib.save(folder, unit(0), mib.subspace(8, 3), indices=[0, 2])
    mib.save(folder, unit(1), mib.subspace(8, 3), indices=[0, 1, 2])
    mib.save(folder, unit(2), mib.subspace(8, 3), indices=[])
    mib.save(folder, unit(3, "correct_symbol"))
    report = import_triplets(folder).report
    assert report.legacy["indices_dropped"] == (unit(0),)
    assert report.legacy["empty_is_all"] == (unit(2),)
    assert set(report.legacy["identity_fallback"]) == {
        *(unit(layer, "correct_symbol") for layer in range(3)),
        unit(3),
    }
    words = " ".join(report.words())
    assert "drops the feature indices" in words
    assert "takes an empty list" in words
    assert "swaps the full vector" in words
    assert json.loads(json.dumps(report.to_json()))["folder"] == NAME


def test_a_whole_set_of_triplets_is_scored_by_mib_in_the_same_way(folder):
    mib.save(folder, unit(0), mib.subspace(8, 3))
    mib.save(folder, unit(1), indices=None)
    report = import_triplets(folder).report
    assert report.legacy == {}
    assert report.words() == []


def test_damaged_bytes_are_listed_and_the_rest_is_read(folder):
    rng, skipped = np.random.default_rng(0), 0
    for layer in range(2):
        mib.save(folder, unit(layer), mib.subspace(8, 3), indices=[0])
    for part in ("featurizer", "inverse_featurizer", "indices") * 20:
        path = folder / f"{unit(1)}_{part}"
        whole = path.read_bytes()
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 1500), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged[: None if rng.random() < 0.7 else rng.integers(len(whole))])
        done = import_triplets(folder)
        assert done.featurizers.sites[0].site == Site(0, "last")
        assert {one.unit for one in done.report.skipped} <= {unit(1)}
        skipped += len(done.report.skipped)
        path.write_bytes(whole)
    assert skipped > 40
