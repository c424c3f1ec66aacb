"""`mibench submit import`: what is printed, and with which exit status."""

from __future__ import annotations

import zipfile

import foreign_submissions as foreign
import pytest

FACTS = ("--author", "A", "--contact", "a@example.org", "--licence", "MIT", "--description", "A method.")


@pytest.fixture
def importing(run, tmp_path):
    def call(source, *words):
        out = tmp_path / "out"
        return run("submit", "import", source, "--team", "team", "--method", "method", "-o", out, *FACTS, *words)

    return call


@pytest.fixture
def source(tmp_path):
    foreign.importances(tmp_path / "source" / "ioi_interpbench")
    return tmp_path / "source"


def test_a_source_is_imported_and_what_was_inferred_is_printed(importing, run, source, tmp_path):
    (source / "featurizer.py").write_text("raise SystemExit")
    done = importing(source)
    assert done.status == 0
    assert "ioi_interpbench/importances.json (importances, track circuit)" in done.out
    assert "  task:       mib/ioi  ('ioi' in the name ioi_interpbench)" in done.out
    assert "  model:      interpbench" in done.out
    assert "  selection:  top-n" in done.out
    assert "ignored: featurizer.py: Code is never run or imported." in done.out
    assert "Wrote" in done.out
    assert run("submit", "check", tmp_path / "out" / "team__method@1").status == 0
    assert importing(source).status == 2


def test_questions_name_their_flags_and_nothing_is_written(importing, source, tmp_path):
    foreign.importances(source / "x")
    foreign.nine(source / "mcqa_interpbench")
    done = importing(source)
    assert done.status == 2
    assert "Say --task of x/importances.json." in done.out
    assert "Say --ranking of mcqa_interpbench." in done.out
    assert "Choices: signed, absolute, both." in done.out
    assert "Nothing was written: 0 failures, 2 questions." in done.out
    assert not (tmp_path / "out").exists()
    assert importing(source, "--task", "x=mib/mcqa", "--ranking", "both", "--level", "edge").status in {0, 1}


def test_failures_say_what_why_and_do(importing, source, tmp_path):
    (source / "ioi_interpbench" / "importances.json").write_text('{"cfg": 1, "edges": {}, "nodes": {}}')
    done = importing(source)
    assert done.status == 1
    assert done.out.count("   why: ") == done.out.count("   do:  ") == 1
    assert "Nothing was written: 1 failures, 0 questions." in done.out
    assert not (tmp_path / "out").exists()


def test_a_dry_run_and_json_say_the_same(importing, source, tmp_path):
    done = importing(source, "--dry-run", "--json")
    assert done.status == 0
    assert set(done.json) == {"source", "folder", "written", "artifacts", "questions", "failures", "ignored"}
    assert done.json["written"] is False
    (artifact,) = done.json["artifacts"]
    assert artifact["inferred"]["model"]["value"] == "interpbench"
    assert "Would write" in importing(source, "--dry-run").out
    assert not (tmp_path / "out").exists()


def test_an_archive_with_positions_to_map_is_imported(importing, tmp_path):
    folder = foreign.triplets(tmp_path / "4_answer_MCQA_Qwen2ForCausalLM_answer_pointer", token="mine", d=896)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"top/{folder.name}/{path.name}")
    done = importing(tmp_path / "a.zip")
    assert done.status == 2
    assert "Say --position-map of 4_answer_MCQA_Qwen2ForCausalLM_answer_pointer." in done.out
    (tmp_path / "map.yaml").write_text("mine: last\n")
    done = importing(tmp_path / "a.zip", "--position-map", tmp_path / "map.yaml")
    assert done.status == 0, done.out
    assert "model:      qwen2.5-0.5b" in done.out


def test_wrong_usage_is_told_apart(importing, run, source, tmp_path):
    assert importing(tmp_path / "absent").status == 2
    assert importing(source, "--level", "head").status == 2
    assert importing(source, "--model-folder", "x").status == 2
    assert importing("hub:org/name").status == 2
    assert "not pinned" in importing("hub:org/name").err
    assert run("submit", "import", source, "--team", "t").status == 2


def test_nothing_that_steers_a_terminal_is_printed(importing, source):
    foreign.importances(source / "mcqa_interpbench\x1b[31m\x07")
    done = importing(source)
    assert "\x1b[31m\x07" not in done.out
