"""The causal-variable track through the command line, on a network with variables planted by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from planted.task import register, write_planted

from mibench.artifacts.featurizers.files import load_featurizers, save_featurizers
from mibench.records.store import Store


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return write_planted(tmp_path_factory.mktemp("planted"))


@pytest.fixture
def cell(run, network, monkeypatch):
    """Runs a command on the planted variable ``a`` at two layers of the last token."""
    register(monkeypatch)

    def call(command, *words, variable="a", layers="1,3"):
        ground = ["--task", "planted", "--model", network, "--layer", layers, "--position", "last"]
        return run(command, *ground, "--variable", variable, *words)

    return call


def record_of(ran):
    assert ran.status == 0, ran.err
    (record,) = ran.json["records"]
    return record


def value(record, name):
    return record["metrics"][name]["value"]


def test_das_finds_what_was_planted_and_the_full_vector_takes_too_much(cell):
    ran = cell("run", "--method", "das", "--method", "full-vector", "--split", "test", "--json")
    das, full = ran.json["records"]
    assert value(das, "normalised_iia") > 0.95
    assert value(das, "isolate") > 0.9
    assert value(full, "isolate") < 0.5
    assert das["looks_at_test"] == 1
    where = {"component": "residual-post", "positions": ["last"], "layers": [1, 3], "heads": [], "oracle": False}
    assert das["cell"]["variable"].items() >= ({"name": "a"} | where).items()


def test_the_site_is_chosen_on_validation_and_the_table_says_which(cell):
    record = record_of(cell("run", "--method", "full-vector", "--split", "test", "--json"))
    (one,) = [found for found in Store("mibench-records").query() if found.cell.id == record["id"]]
    selection = Store("mibench-records").table(one, "selection")
    assert selection.loc[selection["chosen"], "layer"].tolist() == [3]
    assert record["cell"]["task"]["validation_digest"]
    assert record["cell"]["task"]["train_digest"] is None


def test_a_second_run_takes_the_record_that_is_there(cell):
    first = record_of(cell("run", "--method", "full-vector", "--json"))
    second = record_of(cell("run", "--method", "full-vector", "--json"))
    assert (first["reused"], second["reused"]) == (False, True)
    assert second["metrics"] == first["metrics"]


def test_an_artifact_that_was_discovered_scores_as_its_method_does(cell):
    own = record_of(cell("run", "--method", "pca", "--split", "test", "--json"))
    assert cell("discover", "--method", "pca", "--out", "made.safetensors").status == 0
    scored = record_of(cell("score", "made.safetensors", "--split", "test", "--json"))
    assert scored["cell"]["method"]["artifact_digest"]
    assert scored["metrics"] == own["metrics"]


def test_controls_are_measured_where_they_are_asked_for(cell):
    words = ("--method", "full-vector", "--extra", "control-weights", "--extra", "control-labels", "--json")
    record = record_of(cell("run", *words))
    assert value(record, "control_weights") < 0.2
    assert value(record, "selectivity") > 0.4
    assert {"control_weights", "control_labels"} <= set(record["tables"])


def test_what_a_person_sees_names_variable_site_floor_and_filter(cell, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    ran = cell("run", "--method", "full-vector")
    assert "a in planted on" in ran.out
    assert "L3@last" in ran.out
    assert "floor" in ran.out


def test_attrition_says_why_rows_are_not_scored(cell):
    record_of(cell("run", "--method", "full-vector", "--json"))
    store = Store("mibench-records")
    table = store.table(store.query()[0], "attrition")
    assert set(table["reason"]) == {"kept"}
    assert table["rows"].sum() == 3 * 48


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--variable", "c"), "'c'"),
        (("--position", "lats"), "lats"),
        (("--layer", "77"), "There is no layer 77"),
        (("--extra", "completeness"), "completeness"),
        (("--method", "eap"), "cannot be run together"),
        (("--method", "das", "--set", "k=4000"), "4000"),
        (("--split", "tset"), "tset"),
    ],
)
def test_bad_input_says_what_why_and_what_to_do(run, network, monkeypatch, words, said):
    register(monkeypatch)
    ran = run("run", "--task", "planted", "--model", network, "--method", "full-vector", *words)
    assert ran.status in {1, 2}
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_featurizers_for_another_model_are_refused(cell, run, network, tmp_path):
    assert cell("discover", "--method", "full-vector", "--out", "made.safetensors").status == 0
    other = write_planted(tmp_path / "another", "llama")
    ran = run("score", "made.safetensors", "--task", "planted", "--model", other)
    assert ran.status == 1
    assert "They say that they are for" in ran.err


def test_the_causal_model_is_printed_with_what_its_sets_tell_apart(run, monkeypatch):
    register(monkeypatch)
    ran = run("tasks", "causal", "planted", "--json")
    shares = {(one["set"], one["first"], one["second"]): one["share"] for one in ran.json["separations"]}
    assert shares["both", "a", "b"] == 1
    assert shares["only_b", "a", "nothing"] == 0
    assert "raw_output" in json.loads(ran.out)["graph"]


def test_artifacts_of_one_command_keep_their_own_sites(cell, run, network):
    assert cell("discover", "--method", "full-vector", "--out", "last.safetensors").status == 0
    ground = ["--task", "planted", "--model", network, "--variable", "a"]
    early = ["--position", "a", "--layer", "0"]
    assert run("discover", *ground, *early, "--method", "full-vector", "--out", "early.safetensors").status == 0
    together = run("score", "last.safetensors", "early.safetensors", *ground, "--json").json["records"]
    alone = [
        run("score", name, *ground, "--json").json["records"][0] for name in ("last.safetensors", "early.safetensors")
    ]
    assert [one["metrics"] for one in together] == [one["metrics"] for one in alone]
    assert [one["cell"]["variable"]["positions"] for one in together] == [["last"], ["a"]]


def test_heads_that_were_swept_one_by_one_are_scored_one_by_one(run, network, monkeypatch):
    register(monkeypatch)
    ground = ["--task", "planted", "--model", network, "--variable", "a", "--split", "test"]
    sweep = ["--component", "head", "--position", "last", "--method", "full-vector"]
    own = record_of(run("run", *ground, *sweep, "--json"))
    assert run("discover", *ground[:6], *sweep, "--out", "heads.safetensors").status == 0
    scored = record_of(run("score", "heads.safetensors", *ground, "--json"))
    assert scored["metrics"] == own["metrics"]


def test_what_a_method_takes_from_the_task_is_part_of_the_cell(cell):
    record = record_of(cell("run", "--method", "full-vector", "--json"))
    assert record["cell"]["variable"]["defaults"] == {"size": 3, "epochs": 20, "batch": 32, "lr": 0.06}


def test_nonlinear_maps_and_edits_are_not_ranked_whatever_their_files_say(cell):
    words = ("--set", "epochs=1", "--out", "map.safetensors")
    assert cell("discover", "--method", "revnet", *words, layers="3").status == 0
    found = load_featurizers("map.safetensors")
    save_featurizers(replace(found, meta={}), "bare.safetensors")
    assert record_of(cell("score", "bare.safetensors", "--json", layers="3"))["board"] == "control"


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--extra", "control-labels"), "cannot be measured of an artifact"), (("--variable", "b"), "not about b")],
)
def test_what_an_artifact_cannot_give_is_refused(run, network, cell, words, said):
    assert cell("discover", "--method", "full-vector", "--out", "made.safetensors").status == 0
    ran = run("score", "made.safetensors", "--task", "planted", "--model", network, *words)
    assert ran.status in {1, 2}
    assert said in ran.err


def test_the_method_of_the_guide_runs_and_is_compared(cell):
    guide = (Path(__file__).parents[2] / "docs" / "featurizers.md").read_text(encoding="utf-8")
    _, block = re.findall(r"```python\n(.*?)```", guide, flags=re.DOTALL)
    Path("mine.py").write_text(block)
    ran = cell(
        "run", "--method", "mine.py:top_change", "--set", "top-change.k=8", "--against", "random-subspace", "--json"
    )
    assert ran.status == 0, ran.err
    (compared,) = ran.json["comparisons"]
    assert compared["differences"]["normalised_iia"]["verdict"] == "better"


def test_layers_beside_listed_heads_are_refused(run, network, monkeypatch):
    register(monkeypatch)
    heads = ("--component", "head", "--heads", "1.0,2.0", "--layer", "1")
    ran = run("run", "--task", "planted", "--model", network, "--method", "full-vector", *heads)
    assert ran.status == 2
    assert "do not go together" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "full-vector", "--level", "node"), "'level' means nothing here"),
        (("--method", "full-vector", "--floor-draws", "3"), "'floor-draws' means nothing here"),
        (("--method", "eap", "--task", "ioi", "--position", "last"), "'position' means nothing here"),
        (("--method", "full-vector", "--layer", "99"), "There is no layer 99"),
    ],
)
def test_what_would_be_ignored_or_cannot_be_is_refused_before_a_record(run, network, monkeypatch, words, said):
    register(monkeypatch)
    ran = run("run", "--task", "planted", "--model", network, *words)
    assert ran.status == 2
    assert said in ran.err
    assert not Path("mibench-records").exists()


def test_a_suffix_that_cannot_be_is_refused_before_the_method_runs(cell):
    ran = cell("discover", "--method", "das", "--out", "made.json")
    assert ran.status == 2
    assert "The method took" not in ran.err
