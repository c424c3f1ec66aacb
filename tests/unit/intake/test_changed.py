"""Pull requests as git has them: one new folder passes, everything else is told."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from submission_cases import FILE, NAME, change, good, text_of

from mibench.core.errors import UsageError
from mibench.intake.changed import check_changed
from mibench.intake.check import Asked


class Repo:
    """A repository with a main branch and one for the change."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")
        (folder / "README.md").write_text("# A repository\n")
        (folder / "submissions").mkdir()
        (folder / "submissions/README.md").write_text("# Submissions\n")
        self.commit("first")
        self.git("checkout", "--quiet", "-b", "change")

    def git(self, *words):
        who = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "a")
        mail = dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "a@example.org")
        command = ["git", "-C", str(self.folder), "-c", "commit.gpgsign=false", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | who | mail).stdout

    def commit(self, message="change"):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)

    def add(self, name=NAME, **changes):
        """Add a submission whose artifact is sealed."""
        folder = good(self.folder / "submissions", name)
        (folder / FILE).unlink()
        (folder / "artifacts").rmdir()
        if changes:
            change(folder, **changes)
        return folder

    def check(self, base="main", head="change"):
        self.commit()
        # What is checked out does not matter.
        self.git("checkout", "--quiet", "main")
        return check_changed(self.folder, base, head, Asked())


@pytest.fixture
def repo(tmp_path):
    return Repo(tmp_path / "repo")


def test_one_new_folder_passes(repo):
    repo.add()
    (report,) = repo.check()
    assert report.passed, report.failures
    assert (report.name, report.n_files) == (NAME, 2)
    assert report.notes == ("1 artifact is sealed, and will be read when handed in.",)
    assert not (repo.folder / "submissions" / NAME).exists()


def test_no_submission_is_nothing_to_check(repo):
    (repo.folder / "submissions/README.md").write_text("# Other words\n")
    (repo.folder / "README.md").write_text("# Other words\n")
    assert repo.check() == []


def test_an_artifact_in_the_commit_is_refused(repo):
    good(repo.folder / "submissions")
    (report,) = repo.check()
    assert [one.file for one in report.failures] == [FILE]
    assert "not to be published before closing" in text_of(report)


def test_an_artifact_that_the_next_commit_removes_is_not_in_the_head(repo):
    folder = good(repo.folder / "submissions")
    repo.commit()
    shutil.rmtree(folder / "artifacts")
    (report,) = repo.check()
    assert report.passed


def test_changes_elsewhere_are_refused(repo):
    repo.add()
    (repo.folder / "README.md").write_text("# Mine\n")
    (repo.folder / "setup.py").write_text("pass\n")
    (report,) = repo.check()
    assert "It changes README.md, setup.py." in text_of(report)


def test_two_submissions_are_refused_and_both_are_checked(repo):
    repo.add()
    repo.add("team__method@2")
    first, second = repo.check()
    assert "A pull request adds one submission." in text_of(first)
    assert "The folder has another name than the submission." in text_of(second)


def test_a_submission_that_is_there_stays_as_it_is(repo):
    folder = repo.add()
    repo.commit()
    repo.git("checkout", "--quiet", "main")
    repo.git("merge", "--quiet", "change")
    repo.git("checkout", "--quiet", "-b", "next")
    (folder / "README.md").write_text("# Better\n")
    (report,) = repo.check(head="next")
    assert "A submission that is there is changed." in text_of(report)
    assert f"submissions/{NAME}/README.md" in text_of(report)


def test_names_of_submissions_that_are_there_count(repo):
    repo.git("checkout", "--quiet", "main")
    repo.add("Team__method@1", team="Team")
    repo.commit()
    repo.git("checkout", "--quiet", "change")
    repo.git("merge", "--quiet", "main")
    repo.add()
    repo.add("team__method@3", version="3", supersedes="2")
    first, second = repo.check()
    assert "Another submission has nearly this name." in text_of(first)
    assert "It supersedes team__method@2, which is not beside it: check the name." in second.notes


def test_what_main_did_meanwhile_is_no_change_of_this_one(repo):
    repo.add()
    repo.commit()
    repo.git("checkout", "--quiet", "main")
    (repo.folder / "README.md").write_text("# Meanwhile\n")
    repo.commit()
    repo.git("checkout", "--quiet", "change")
    (report,) = repo.check()
    assert report.passed


def test_links_scripts_attributes_and_odd_names_are_told(repo, tmp_path):
    folder = repo.add()
    (tmp_path / "secret").write_text("secret")
    (folder / "link.json").symlink_to(tmp_path / "secret")
    (folder / "run.sh").write_text("#!/bin/sh\ntouch /tmp/x\n")
    (folder / "run.sh").chmod(0o755)
    (folder / ".gitattributes").write_text("* filter=evil export-ignore\n")
    (folder / "a b.json").write_text("{}")
    (report,) = repo.check()
    text = text_of(report)
    for words in ("link.json is a link.", "run.sh is marked as executable.", "'.gitattributes'", "'a b.json'"):
        assert words in text
    assert "secret" not in text


def test_a_module_of_git_is_refused(repo):
    repo.add()
    head = repo.git("rev-parse", "HEAD").strip()
    repo.commit()
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{head},submissions/{NAME}/other")
    repo.git("commit", "--quiet", "-m", "module")
    repo.git("checkout", "--quiet", "--force", "main")
    (report,) = check_changed(repo.folder, "main", "change", Asked())
    assert "other is a link." in text_of(report)


def test_large_files_are_told_and_not_copied(repo, monkeypatch):
    folder = repo.add()
    (folder / "README.md").write_bytes(b"x" * 2**20)
    monkeypatch.setattr("mibench.intake.git_objects.Repository.content", lambda own, blob: b"")
    (report,) = repo.check()
    assert not report.passed


@pytest.mark.parametrize("name", ["no-name", "team__method@1@2", "téam__method@1", "-x__y@1"])
def test_a_folder_of_any_name_is_checked(repo, name):
    repo.add(name)
    (report,) = repo.check()
    assert not report.passed


@pytest.mark.parametrize("ref", ["absent", "--help", "-q", "", "a\0b"])
def test_what_is_no_commit_is_wrong_usage(repo, ref):
    with pytest.raises(UsageError):
        check_changed(repo.folder, "main", ref, Asked())


def test_a_folder_without_a_repository_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError):
        check_changed(tmp_path, "main", "change", Asked())


def test_branches_without_a_common_ancestor_are_told(repo):
    repo.git("checkout", "--quiet", "--orphan", "alone")
    repo.add()
    with pytest.raises(UsageError, match="cannot be compared"):
        repo.check(head="alone")
