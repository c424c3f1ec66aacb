from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "golden" / "tiny_gpt2"
GROUND = ["--model", GOLDEN, "--task", GOLDEN / "pairs_A.jsonl", "--out", "records"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_method_that_is_also_compared_with_is_compared_with_the_others(run):
    words = ["run", *GROUND, "--method", "eap", "--against", "eap,random", "--floor-draws", 1]
    found = run(*words, "--json").json["comparisons"]
    assert [(one["first"], one["second"]) for one in found] == [("eap", "random")]


def test_methods_that_are_only_compared_with_are_not_compared_with_each_other(run):
    words = ["run", *GROUND, "--method", "eap-ig-inputs", "--against", "eap,random", "--floor-draws", 1]
    found = run(*words, "--json").json["comparisons"]
    assert {(one["first"], one["second"]) for one in found} == {("eap-ig-inputs", "eap"), ("eap-ig-inputs", "random")}


def test_the_title_says_which_of_several_seeds_is_compared(run):
    words = ["run", *GROUND, "--method", "eap", "--against", "random", "--floor-draws", 0]
    assert "eap − random (seed 0 of 3) on" in run(*words, "--seeds", 3).out
    assert "eap − random on" in run(*words, "--seeds", 1).out


def test_what_is_missing_is_explained_once_under_the_table(run):
    ran = run("run", *GROUND, "--method", "eap", "--against", "random", "--floor-draws", 1)
    why = "vanishes or changes sign"
    assert [line for line in ran.out.splitlines() if why in line and "note: no interval" in line]
    assert [line for line in ran.out.splitlines() if why in line and "note: no verdict" in line]
    assert ran.out.count(why) == 2


def test_a_local_file_is_said_not_to_be_held_out(run):
    words = ["run", *GROUND, "--method", "eap", "--floor-draws", 1]
    note = "pairs_A: train, validation and test are the same file: not held out"
    assert run(*words).out.count(f"note: {note}") == 1
    assert note in run(*words, "--json").json["notes"]


def test_an_id_of_the_table_shows_its_record(run):
    words = ["--method", "eap", "--floor-draws", 0]
    found = run("run", *GROUND[:4], *words, "--json").json["records"][0]["id"]
    assert found[:8] in run("run", *GROUND[:4], *words).out
    assert run("show", found[:8], "--json").json[0]["cell_id"] == found
    assert run("list", "records", "--json").json[0]["id"] == found[:12]
    assert "eap" in run("compare").out
