"""Closing a round: after its deadline, or early with a word; everything that counts is kept by digest."""

from __future__ import annotations

import hashlib
import json
import stat
from datetime import timedelta

import pytest
from opening_cases import NOW, Clock, light, opened, passes, score, scored

from mibench.core.errors import RoundError, UsageError
from mibench.core.hashing import file_digest
from mibench.shared_task.closing import close_round
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.opening import read_salt
from mibench.shared_task.state import RoundState
from mibench.tasks.private.commit import check_commitment


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    return opened(tmp_path)[0]


@pytest.fixture
def state(folder, tmp_path, clock):
    return scored(folder, tmp_path, {"a__m@1": 0.3, "b__m@1": 0.6}, clock)[0]


def manifest(folder):
    return json.loads((folder.archive / "manifest.json").read_text())


def test_a_round_closes_after_its_deadline_and_not_before(folder, state, clock):
    with pytest.raises(RoundError, match="cannot be closed yet"):
        close_round(folder, state)
    assert not state.closed
    assert not folder.archive.exists()
    clock.time += timedelta(days=90)
    done = close_round(folder, state)
    assert (state.closed, done.already) == (True, False)


def test_closing_early_needs_a_reason_that_the_audit_log_keeps(folder, state):
    with pytest.raises(UsageError, match="reason"):
        close_round(folder, state, "")
    close_round(folder, state, "all teams are done")
    (line,) = [line for line in state.audit() if line.what == "closed"]
    assert line.reason == "all teams are done"
    state.check_audit()


def test_the_archive_lists_every_file_by_its_digest(folder, state):
    done = close_round(folder, state, "done")
    found = manifest(folder)
    there = {
        path.relative_to(folder.archive).as_posix(): {"sha256": file_digest(path), "bytes": path.stat().st_size}
        for path in folder.archive.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert found["files"] == there
    assert (done.files, done.digest) == (len(there), file_digest(folder.archive / "manifest.json"))
    assert found["salt_sha256"] == hashlib.sha256(read_salt(folder)).hexdigest()


def test_the_archive_has_all_that_the_results_rest_on(folder, state):
    close_round(folder, state, "done")
    kept = set(manifest(folder)["files"])
    assert {"round.json", "round.yaml", "audit.jsonl", "private/salt", "private/organiser.json"} <= kept
    for path in (*folder.submissions.rglob("*"), *folder.records("standings").rglob("*")):
        assert path.is_dir() or path.relative_to(folder.path).as_posix() in kept
    archived, salt = RoundFolder(folder.archive), read_salt(folder)
    for name in ("standings", "final"):
        check_commitment(archived.split(name), salt, manifest(folder)["commitments"][name])
    assert (folder.archive / "audit.jsonl").read_text().count("\n") == len(state.audit())


def test_the_archive_is_for_its_owner_alone(folder, state):
    close_round(folder, state, "done")
    assert stat.S_IMODE(folder.archive.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.archive / "private" / "salt").stat().st_mode) == 0o600


def test_closing_again_brings_the_archive_up_to_date_and_changes_nothing_else(folder, tmp_path, clock):
    state, keys = scored(folder, tmp_path, {"a__m@1": 0.3}, clock)
    state.nominate(1, keys["a"])
    first = close_round(folder, state, "done")
    score(folder, state, state.entry(1), "final", 0.5)
    again = close_round(folder, state)
    assert again.already
    assert again.files == first.files + 1
    assert [name for name in manifest(folder)["files"] if name.startswith("records/final")]
    assert close_round(folder, state, "another reason").digest == again.digest
    assert [path.name for path in folder.path.iterdir() if path.name.startswith(".")] == []


def test_nothing_is_taken_in_after_closing(folder, tmp_path, clock):
    state, keys = scored(folder, tmp_path, {"a__m@1": 0.3}, clock)
    close_round(folder, state, "done")
    with pytest.raises(RoundError, match="closed"):
        state.hand_in(light(tmp_path / "in", "a__m@2"), keys["a"], passes)


def test_links_are_not_kept(folder, state):
    (folder.submissions / "000001" / "link").symlink_to("/etc/passwd")
    close_round(folder, state, "done")
    assert not any(name.endswith("link") for name in manifest(folder)["files"])


def test_what_is_no_open_round_is_not_closed(tmp_path):
    folder = RoundFolder(tmp_path)
    with pytest.raises(UsageError):
        close_round(folder, RoundState(folder, Clock(NOW)))
