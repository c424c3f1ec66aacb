from __future__ import annotations

import featurizer_examples as examples
import mib_triplets as mib
import numpy as np
import pytest

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.featurizers.files import load_featurizers, save_featurizers
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.files import save_scores
from mibench.artifacts.formats.mib_featurizers import import_triplets
from mibench.artifacts.formats.mib_names import OUR_POSITIONS, POSITIONS, TASKS
from mibench.core.sites import Site
from mibench.core.specs import Level
from mibench.graph.graph import Graph
from mibench.tasks.variable_task import load_variable_task

UNIT = "ResidualStream(Layer-{},Token-{})"


@pytest.fixture
def triplets(tmp_path):
    folder = tmp_path / "arithmetic_LlamaForCausalLM_ones_carry"
    mib.save(folder, UNIT.format(3, "last"), mib.subspace(8, 3), indices=[0, 2])
    mib.save(folder, UNIT.format(4, "my token"), mib.subspace(8, 3))
    mib.save(folder, UNIT.format(5, "last"), classes=("Mine", "MineBack"))
    return folder


@pytest.fixture
def native(tmp_path):
    rotation = examples.rotation(np.random.default_rng(0), 8, 3, np.float32)
    path = tmp_path / "das.safetensors"
    given = {"residual-post.L2@last": ([Operation("orthogonal", {"rotation": rotation})], (0, 1))}
    save_featurizers(given, path, model="gemma-2-2b", task="mib/arithmetic-addition", variable="ones_carry")
    return path


def test_triplets_become_a_file_and_what_was_not_read_is_said(run, triplets, tmp_path):
    out = tmp_path / "out.safetensors"
    ran = run("convert", triplets, out, "--model", "llama-3.1-8b-instruct")
    assert ran.status == 0
    assert "featurizers of ones_carry in llama-3.1-8b-instruct on mib/arithmetic-addition, 1 site." in ran.out
    assert "Mine is code of its own" in ran.out
    assert "my token. Say what they are with --position-map" in ran.out
    assert "drops the feature indices" in ran.out
    found = load_featurizers(out)
    assert [one.site for one in found.sites] == [Site(3, "last")]
    assert found.model == "llama-3.1-8b-instruct"


def test_json_has_the_whole_report(run, triplets, tmp_path):
    out = tmp_path / "out.safetensors"
    found = run("convert", triplets, out, "--model", "llama-3.1-8b", "--json").json
    assert found["report"]["unmapped_positions"] == ["my token"]
    assert found["digest"] == load_featurizers(out).digest
    assert found["sites"] == ["residual-post.L3@last"]


def test_a_position_map_says_what_positions_are(run, triplets, tmp_path):
    out, names = tmp_path / "out.safetensors", tmp_path / "map.yaml"
    names.write_text("my token: last\nlast: null\n")
    assert run("convert", triplets, out, "--model", "llama-3.1-8b", "--position-map", names).status == 0
    assert [one.site for one in load_featurizers(out).sites] == [Site(4, "last")]


def test_a_llama_without_its_name_is_wrong_usage_and_writes_nothing(run, triplets, tmp_path):
    ran = run("convert", triplets, tmp_path / "out.safetensors")
    assert ran.status == 2
    assert "--model" in ran.err
    assert not (tmp_path / "out.safetensors").exists()


def test_a_file_is_exported_and_comes_back(run, native, tmp_path):
    ran = run("convert", native, tmp_path / "submission")
    assert ran.status == 0
    assert "Triplets are in arithmetic_Gemma2ForCausalLM_ones_carry." in ran.out
    assert "drops the feature indices" in ran.out
    assert import_triplets(tmp_path / "submission").featurizers.digest == load_featurizers(native).digest
    back = tmp_path / "back.safetensors"
    assert run("convert", tmp_path / "submission", back).status == 0
    assert load_featurizers(back).digest == load_featurizers(native).digest
    again = run("convert", native, tmp_path / "submission")
    assert (again.status, "not overwritten" in again.err) == (2, True)


def test_a_folder_of_ours_becomes_a_file(run, native, tmp_path):
    save_featurizers(load_featurizers(native), tmp_path / "folder")
    assert run("convert", tmp_path / "folder", tmp_path / "again.safetensors").status == 0
    assert (tmp_path / "again.safetensors").read_bytes() == native.read_bytes()


def test_a_file_is_replaced_only_when_asked(run, triplets, native):
    before = native.read_bytes()
    words = ("convert", triplets, native, "--model", "llama-3.1-8b")
    assert (run(*words).status, native.read_bytes()) == (2, before)
    assert run(*words, "--overwrite").status == 0
    assert load_featurizers(native).model == "llama-3.1-8b"


def test_another_model_than_the_file_says_is_refused(run, native, tmp_path):
    ran = run("convert", native, tmp_path / "out", "--model", "gpt2")
    assert (ran.status, "for gemma-2-2b" in ran.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_options_of_the_other_kind_are_refused(run, native, tmp_path):
    scores = tmp_path / "scores.safetensors"
    save_scores(CircuitScores(Graph(2, 3), Level.NODE, np.arange(9.0), 4), scores)
    for words in (
        (native, tmp_path / "out", "--binary"),
        (native, tmp_path / "out", "--level", "edge"),
        (scores, tmp_path / "out.json", "--model", "gpt2"),
        (scores, tmp_path / "out.json", "--position-map", "map.yaml"),
    ):
        ran = run("convert", *words)
        assert (ran.status, "does not go with this file" in ran.err) == (2, True)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.json").exists()
    assert run("convert", scores, tmp_path / "out.json").status == 0


def test_what_mib_cannot_hold_is_status_1_with_the_reason(run, tmp_path):
    path = tmp_path / "sae.safetensors"
    given = {"residual-post.L2@last": examples.sae(np.random.default_rng(0), 8, act="relu")}
    save_featurizers(given, path, model="gemma-2-2b", task="mib/mcqa", variable="answer")
    ran = run("convert", path, tmp_path / "out")
    assert (ran.status, "no operation sae" in ran.err) == (1, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["[1, 2", "- a", "a: 3"])
def test_a_position_map_that_is_none_is_status_1(run, triplets, tmp_path, text):
    (tmp_path / "map.yaml").write_text(text)
    out = tmp_path / "out.safetensors"
    ran = run("convert", triplets, out, "--model", "llama-3.1-8b", "--position-map", tmp_path / "map.yaml")
    assert (ran.status, out.exists()) == (1, False)


@pytest.mark.parametrize("task", TASKS)
def test_every_position_that_mib_defines_is_one_of_the_tasks(task):
    ours = load_variable_task(TASKS[task])
    for token in POSITIONS[task]:
        assert ours.position(token).name == OUR_POSITIONS.get(token, token)
