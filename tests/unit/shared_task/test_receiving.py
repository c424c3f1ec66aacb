"""Only plain files within the limits are copied; of everything else, the report is kept and nothing more."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile

import pytest
from open_rounds import light, open_round, passes, submission

from mibench.core.errors import RoundError, UsageError
from mibench.intake.check import check_submission
from mibench.intake.pack import pack_submission
from mibench.intake.rules import Rules
from mibench.shared_task import receiving
from mibench.shared_task.receiving import receive
from mibench.shared_task.states import State

NAME = "team__method@1"


@pytest.fixture
def state(tmp_path):
    return open_round(tmp_path, valid_per_week=100, file_bytes=100_000, total_bytes=150_000)


@pytest.fixture
def key(state):
    return state.register("team", "a@example.org")


def tar_of(path, *members, mode="w:gz"):
    """A tar file of members (name, content, type)."""
    with tarfile.open(path, mode) as archive:
        for name, content, kind in members:
            one = tarfile.TarInfo(name)
            one.type, one.mode, one.size = kind, 0o644, len(content) if kind == tarfile.REGTYPE else 0
            if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                one.linkname = content.decode()
            archive.addfile(one, io.BytesIO(content) if one.size else None)
    return path


def link(folder):
    (folder / "more.json").symlink_to("/etc/passwd")


def linked_folder(folder):
    (folder / "more").symlink_to("/etc")


def pipe(folder):
    os.mkfifo(folder / "more.json")


def program(folder):
    (folder / "artifact.json").chmod(0o755)


def large(folder):
    with (folder / "artifact.json").open("wb") as stream:
        stream.truncate(2**40)


def many_bytes(folder):
    for one in range(2):
        (folder / f"{one}.json").write_bytes(b" " * 90_000)


def many_files(folder):
    for one in range(1001):
        (folder / f"{one}.json").touch()


def odd_name(folder):
    (folder / "a b.json").touch()


def no_text_name(folder):
    os.close(os.open(os.fsencode(folder) + b"/\xff.json", os.O_CREAT, 0o644))


def deep(folder):
    (folder / "a/b/c/d/e/f/g/h").mkdir(parents=True)


FOLDERS = [link, linked_folder, pipe, program, large, many_bytes, many_files, odd_name, no_text_name, deep]


@pytest.mark.parametrize("spoil", FOLDERS)
@pytest.mark.parametrize("check", [passes, check_submission])
def test_of_a_hostile_folder_only_the_report_is_kept(tmp_path, state, key, spoil, check):
    source = light(tmp_path, NAME)
    spoil(source)
    entry, report = state.hand_in(source, key, check)
    assert (entry.state, entry.reason) == (State.FAILED, "its check found failures")
    assert (entry.folder_name, entry.method, entry.version, entry.sha256, entry.tracks) == ("", "", "", "", ())
    assert [path.name for path in state.folder.submissions.rglob("*")] == ["000001", "report.json"]
    kept = state.report(1)
    assert not kept.passed
    assert [one.what for one in kept.failures] == [one.what for one in report.failures]
    state.check_audit()


def slip(path):
    return tar_of(path / "a.tar.gz", ("../evil.json", b"{}", tarfile.REGTYPE))


def tar_link(path):
    own = (f"{NAME}/submission.yaml", b"a: 1", tarfile.REGTYPE)
    return tar_of(path / "a.tar.gz", own, (f"{NAME}/a.json", b"/etc/passwd", tarfile.SYMTYPE))


def hard_link(path):
    return tar_of(path / "a.tar", (f"{NAME}/a.json", b"/etc/passwd", tarfile.LNKTYPE), mode="w")


def bomb(path):
    with zipfile.ZipFile(path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{NAME}/a.json", b"\0" * 50_000_000)
    return path / "a.zip"


def gzip_bomb(path):
    return tar_of(path / "a.tar.gz", (f"{NAME}/a.json", b"\0" * 20_000_000, tarfile.REGTYPE))


def damaged(path):
    (path / "a.zip").write_bytes(b"PK\x03\x04 and so on")
    return path / "a.zip"


def two_tops(path):
    return tar_of(path / "a.tar.gz", ("a/a.json", b"{}", tarfile.REGTYPE), ("b/a.json", b"{}", tarfile.REGTYPE))


def no_submission_name(path):
    return tar_of(path / "a.tar.gz", ("results/a.json", b"{}", tarfile.REGTYPE))


ARCHIVES = [slip, tar_link, hard_link, bomb, gzip_bomb, damaged, two_tops, no_submission_name]


@pytest.mark.parametrize("make", ARCHIVES)
@pytest.mark.parametrize("check", [passes, check_submission])
def test_of_a_hostile_archive_only_the_report_is_kept(tmp_path, state, key, make, check):
    entry, report = state.hand_in(make(tmp_path), key, check)
    assert (entry.state, entry.folder_name) == (State.FAILED, "")
    assert not report.passed
    assert [path.name for path in state.folder.submissions.rglob("*")] == ["000001", "report.json"]
    assert not list(tmp_path.rglob("evil.json"))


def test_a_folder_whose_name_is_no_submissions_fails_with_its_report(tmp_path, state, key):
    entry, report = state.hand_in(light(tmp_path, NAME).rename(tmp_path / "my submission"), key, check_submission)
    assert (entry.state, entry.folder_name, entry.method) == (State.FAILED, "", "")
    assert "cannot be the name of a submission" in report.failures[0].what
    assert len(report.failures) > 1


def test_a_folder_and_its_archives_are_the_same_submission(tmp_path, state, key):
    source = submission(tmp_path)
    pack_submission(source, tmp_path / "a.zip")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(source, source.name)
    digests = set()
    for one in (source, tmp_path / "a.zip", tmp_path / "a.tar.gz"):
        entry, report = state.hand_in(one, key, check_submission)
        assert report.passed
        digests.add(entry.sha256)
        state.withdraw(entry.id, key)
    assert len(digests) == 1
    (source / "README.md").write_text("Changed.", encoding="utf-8")
    assert state.hand_in(source, key, check_submission)[0].sha256 not in digests


def test_an_archive_of_another_teams_submission_is_not_taken(tmp_path, state):
    other = state.register("other", "a@example.org")
    pack_submission(submission(tmp_path), tmp_path / "a.zip")
    with pytest.raises(RoundError, match="cannot be handed in"):
        state.hand_in(tmp_path / "a.zip", other, passes)
    assert state.entries() == []


def test_a_folder_without_its_path_is_found(tmp_path, state, key, monkeypatch):
    monkeypatch.chdir(light(tmp_path, NAME))
    assert state.hand_in(".", key, passes)[0].folder_name == NAME


def swapped_file(source):
    (source / "artifact.json").unlink()
    (source / "artifact.json").symlink_to("/etc/passwd")


def swapped_folder(source):
    (source / "inside").rename(source / "elsewhere")
    (source / "inside").symlink_to(source / "elsewhere")


def grown(source):
    (source / "artifact.json").write_bytes(b" " * 1000)


def gone(source):
    (source / "artifact.json").unlink()


def piped(source):
    (source / "artifact.json").unlink()
    os.mkfifo(source / "artifact.json")


@pytest.mark.parametrize("swap", [swapped_file, swapped_folder, grown, gone, piped])
def test_what_changes_after_it_was_listed_is_not_copied(tmp_path, monkeypatch, swap):
    source = light(tmp_path, NAME)
    (source / "inside").mkdir()
    (source / "inside/b.json").write_text("{}", encoding="utf-8")
    real = receiving.listed

    def listed(*args):
        files = real(*args)
        swap(source)
        return files

    monkeypatch.setattr(receiving, "listed", listed)
    found = receive(source, tmp_path / "into", "team", Rules())
    assert (found.name, found.sha256) == ("", "")
    assert len(found.failures) == 1
    assert not (tmp_path / "into" / NAME).exists()


def test_a_file_that_ends_early_is_not_copied(tmp_path, monkeypatch):
    source, real = light(tmp_path, NAME), os.read
    monkeypatch.setattr(os, "read", lambda handle, size: real(handle, min(size, 3)) if size > 9 else b"")
    found = receive(source, tmp_path / "into", "team", Rules())
    assert [one.what for one in found.failures] == ["artifact.json is not the file that was listed."]


def test_a_link_to_a_submission_is_not_followed(tmp_path, state, key):
    folder = light(tmp_path / "elsewhere", NAME)
    (tmp_path / NAME).symlink_to(folder)
    with pytest.raises(UsageError, match="cannot be handed in"):
        state.hand_in(tmp_path / NAME, key, passes)
    assert state.entries() == []
