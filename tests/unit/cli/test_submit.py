"""`mibench submit`: what is printed, and with which exit status."""

from __future__ import annotations

import subprocess

import pytest
from code_submissions import code_submission
from round_cases import write_round
from submission_cases import FILE, NAME, change, good


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


def test_code_is_checked_where_it_is_trusted_and_made_only_then(run, tmp_path):
    source = code_submission(tmp_path)
    assert run("submit", "check", source).status == 1
    assert run("submit", "check", source, "--trust-code").status == 0
    assert run("submit", "check", source, "--trust-code", "--manifest-only").status == 2
    assert run("submit", "pack", source, "-o", tmp_path / "a.zip", "--trust-code").status == 0
    done = run("submit", "make", source, "-o", tmp_path / "made")
    assert done.status == 2
    assert "holds code: found in method.py would be run, to make 1 artifact." in " ".join(done.err.split())
    assert "--trust-code" in done.err
    change_method(source)
    done = run("submit", "make", source, "-o", tmp_path / "made", "--trust-code")
    assert done.status == 1
    assert "method.py is not the file that was listed." in done.out
    assert not (tmp_path / "made").exists()


def change_method(source):
    (source / "method.py").write_text("def found(view):\n    return 1\n", encoding="utf-8")


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


def test_the_rules_of_a_round_are_asked_for(run, tmp_path, folder):
    own = write_round(tmp_path / "round.json")
    assert run("submit", "check", folder, "--round", own).status == 0
    other = write_round(tmp_path / "other.json", cells=[{"track": "circuit", "tasks": ["ioi"], "models": ["gpt2"]}])
    done = run("submit", "check", folder, "--round", other)
    assert done.status == 1
    assert "is no cell of the round. (submission.yaml, artifacts[0])" in done.out
    assert "Did you mean ioi on gpt2 (circuit, edge)?" in done.out
    assert run("submit", "pack", folder, "--round", other, "-o", tmp_path / "a.zip").status == 1
    assert not (tmp_path / "a.zip").exists()


def test_flags_that_contradict_each_other_are_wrong_usage(run, tmp_path, folder):
    own = write_round(tmp_path / "round.json")
    assert run("submit", "check", folder, "--round", own, "--min-tasks", 2).status == 2
    assert run("submit", "check", folder, "--smoke", "--manifest-only").status == 2
    assert run("submit", "check", folder, "--round", tmp_path / "absent").status == 2
    (tmp_path / "broken.json").write_text("{}", encoding="utf-8")
    assert run("submit", "check", folder, "--round", tmp_path / "broken.json").status != 0
    assert run("submit", "check", folder, "--smoke", "--smoke-rows", 11).status == 2


def test_markdown_can_be_posted(run, folder):
    change(folder, first={"bytes": 1}, description="<b>@you</b> ``` ````")
    done = run("submit", "check", folder, "--format", "markdown")
    assert done.status == 1
    assert done.out.startswith("### Submission check: 1 of 1 did not pass\n")
    assert done.out.count("````") == 2
    assert run("submit", "check", folder, "--format", "json").json["passed"] is False


def test_a_sealed_submission_and_its_archive_show_one_digest(run, tmp_path, folder):
    digest = run("submit", "pack", folder, "-o", tmp_path / "a.zip", "--json").json["manifest_sha256"]
    (folder / FILE).unlink()
    sealed = run("submit", "check", folder, "--manifest-only")
    assert sealed.status == 0
    handed_in = run("submit", "check", tmp_path / "a.zip", "--sealed", folder)
    assert handed_in.status == 0
    assert f"manifest: sha256 {digest}\n" in sealed.out
    assert f"manifest: sha256 {digest}\n" in handed_in.out


def test_smoke_warns_and_never_fails(run, folder):
    done = run("submit", "check", folder, "--smoke", "--smoke-rows", 4, "--json")
    assert done.status == 0
    # The scores of this submission are noise.
    (note,) = done.json["notes"]
    assert note.startswith(f"artifacts[0] ({FILE}) looks wrong: on 4 validation rows of planted-induction it ")
    change(folder, first={"bytes": 1})
    done = run("submit", "check", folder, "--smoke", "--json")
    assert done.json["notes"] == ["Nothing was scored on validation rows: mend the failures first."]


def test_changes_are_told_by_their_exit_status(run, tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for name, value in who.items():
        monkeypatch.setenv(name, value)
    repo = tmp_path / "repo"
    (repo / "submissions").mkdir(parents=True)

    def git(*words):
        subprocess.run(["git", "-C", str(repo), *words], check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "first")
    same = run("submit", "changed", "main", "HEAD", "--repo", repo)
    assert (same.status, same.out) == (0, "No submission is touched.\n")
    git("checkout", "--quiet", "-b", "change")
    folder.rename(repo / "submissions" / NAME)
    git("add", "--all")
    git("commit", "--quiet", "-m", "second")
    done = run("submit", "changed", "main", "change", "--repo", repo, "--report", tmp_path / "r.json")
    assert done.status == 1
    assert "not to be published before closing" in done.out
    posted = run("submit", "comment", tmp_path / "r.json")
    assert posted.status == 0
    assert posted.out.startswith("### Submission check: 1 of 1 did not pass\n")
    again = run("submit", "changed", "main", "change", "--repo", repo, "--report", tmp_path / "r.json")
    assert again.status == 2
    assert "is not overwritten" in again.err


def test_a_report_that_is_none_is_refused(run, tmp_path):
    (tmp_path / "r.json").write_text("{", encoding="utf-8")
    done = run("submit", "comment", tmp_path / "r.json")
    assert done.status != 0
    assert "is no report of a check" in done.err
