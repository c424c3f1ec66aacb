"""`mibench submit`: what is printed, and with which exit status."""

from __future__ import annotations

import pytest
from submission_cases import NAME, change, good


@pytest.fixture
def folder(tmp_path):
    return good(tmp_path)


def test_a_good_submission_passes(run, folder):
    done = run("submit", "check", folder)
    assert done.status == 0
    assert f"{NAME}: passed; 3 files" in done.out


def test_failures_say_what_why_do_and_where(run, folder):
    change(folder, first={"models": ["gpt2"], "bytes": 1}, licence=None)
    done = run("submit", "check", folder)
    assert done.status == 1
    assert "'licence' is missing. (submission.yaml)" in done.out
    assert "artifacts/a.safetensors cannot be used. (artifacts/a.safetensors, artifacts[0])" in done.out
    assert done.out.count("   why: ") == done.out.count("   do:  ") == 3
    assert f"{NAME}: 3 failures" in done.out


def test_json_has_the_same(run, folder):
    change(folder, first={"bytes": 1})
    done = run("submit", "check", folder, "--json")
    assert done.status == 1
    assert done.json["passed"] is False
    (failure,) = done.json["failures"]
    assert set(failure) == {"what", "why", "do", "file", "index"}
    assert (failure["file"], failure["index"]) == ("artifacts/a.safetensors", 0)


def test_wrong_usage_is_told_apart(run, tmp_path, folder):
    assert run("submit", "check", tmp_path / "absent").status == 2
    assert run("submit", "check", folder, "--model-folder", "x").status == 2
    assert run("submit", "check", folder, "--model-folder", f"x={tmp_path}/absent").status == 2
    assert run("submit", "check").status == 2


def test_coverage_can_be_asked_for(run, folder):
    done = run("submit", "check", folder, "--min-tasks", 2)
    assert done.status == 1
    assert "covers too little" in done.out


def test_packing_checks_first(run, tmp_path, folder):
    done = run("submit", "pack", folder, "-o", tmp_path / "a.zip", "--json")
    assert done.status == 0
    assert done.json["archive"] == str(tmp_path / "a.zip")
    assert run("submit", "check", tmp_path / "a.zip").status == 0
    assert run("submit", "pack", folder, "-o", tmp_path / "a.zip").status == 2
    (folder / "x.py").touch()
    assert run("submit", "pack", folder, "-o", tmp_path / "b.zip").status == 1
    assert not (tmp_path / "b.zip").exists()


def test_a_template_is_written_once(run, tmp_path):
    words = ("submit", "init", "--team", "t", "--method", "m", "-o", tmp_path)
    done = run(*words)
    assert done.status == 0
    assert "t__m@1/submission.yaml" in done.out
    assert run(*words).status == 2
    assert run("submit", "init", "--team", "t", "-o", tmp_path).status == 2


def test_nothing_that_steers_a_terminal_is_printed(run, folder):
    change(folder, description="\x1b[31mred\x07")
    done = run("submit", "check", folder)
    assert done.status == 1
    assert "\x1b[31mred" not in done.out
    assert "\x07" not in done.out
