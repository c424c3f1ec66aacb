from __future__ import annotations

import json

import pytest

from mibench.tasks.load import load_task


def test_show_gives_the_first_examples_of_the_split(run):
    shown = run("tasks", "show", "ioi", "-n", 2, "--split", "train", "--json").json
    assert shown["pairs"] == [pair.as_json() for pair in load_task("ioi").pairs("train", 2)]
    assert shown["licence"] == "Apache-2.0"


def test_show_makes_the_space_before_an_answer_visible(run):
    (pair,) = load_task("ioi").pairs("validation", 1)
    assert f'"{pair.correct}"' in run("tasks", "show", "ioi", "-n", 1).out


@pytest.fixture
def ids_file(tmp_path, golden):
    lines = (golden / "tiny_llama" / "pairs_A.jsonl").read_text().splitlines()[:3]
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_export_needs_no_weights_and_writes_a_pairs_file_that_reads_back(run, ids_file, tiny, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("weights were loaded")

    monkeypatch.setattr("mibench.models.load.load_hf", refuse)
    out = tmp_path / "out.jsonl"
    words = ("tasks", "export", "-T", ids_file, "-M", tiny("tiny_llama"), "--limit", 2, "--out", out)
    ran = run(*words, "--json")
    assert ran.status == 0
    again, before = load_task(str(out)).pairs("train"), load_task(str(ids_file)).pairs("train", 2)
    assert [pair.clean for pair in again] == [pair.clean for pair in before]
    assert ran.json["rows"] == 2
    assert ran.json["bos_id"] is None
    assert json.loads((tmp_path / "out.meta.json").read_text())["digest"] == ran.json["digest"]

    content = out.read_bytes()
    assert run(*words).status == 2
    assert out.read_bytes() == content
    assert run(*words, "--overwrite").status == 0


def test_export_of_text_puts_the_bos_of_the_model_in_front(run, smollm2_folder, tmp_path):
    out = tmp_path / "ioi.jsonl"
    ran = run("tasks", "export", "-T", "ioi", "-M", "smollm2-135m", "--limit", 2, "--out", out)
    assert ran.status == 0
    assert "BOS 1 in front" in ran.out
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["clean"][0] for row in rows] == [1, 1]
    assert all(len(row["clean"]) == len(row["counterfactual"]) for row in rows)


def test_a_name_that_no_task_could_read_back_is_refused(run, ids_file, tiny, tmp_path):
    ran = run("tasks", "export", "-T", ids_file, "-M", tiny("tiny_llama"), "--out", tmp_path / "out.json")
    assert ran.status == 2
    assert not (tmp_path / "out.json").exists()
