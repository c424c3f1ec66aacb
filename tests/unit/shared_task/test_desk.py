"""What killed processes leave at the desk, and what the next one makes of it."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from open_rounds import Clock, fails, in_child, light, open_round, passes

from mibench.core.errors import StoreError
from mibench.shared_task.state import RoundState
from mibench.shared_task.states import State

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
KEPT = ["submission.yaml", "artifact.json"]


@pytest.fixture
def state(tmp_path):
    return open_round(tmp_path, valid_per_week=1000)


@pytest.fixture
def key(state):
    return state.register("team", "a@example.org")


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def killed(work):
    """Run something in a process that is killed by what it does."""
    assert os.waitpid(in_child(work), 0)[1] == signal.SIGKILL


def is_whole(state):
    """Check that every submission has its files, every folder its submission, and the log tells of all."""
    entries = state.entries()
    assert [entry.id for entry in entries] == list(range(1, len(entries) + 1))
    assert sorted(path.name for path in state.folder.submissions.iterdir()) == [f"{e.id:06d}" for e in entries]
    for entry in entries:
        assert entry.state in (State.CHECKED, State.FAILED)
        assert state.report(entry.id).passed == (entry.state is State.CHECKED)
        names = {path.name for path in state.folder.submission(entry.id).iterdir()}
        assert names == {"report.json", entry.folder_name}
        copy = state.folder.submission(entry.id) / entry.folder_name
        assert {path.name for path in copy.iterdir()} == set(KEPT)
        assert (copy / "artifact.json").read_text(encoding="utf-8") == f'{{"of": "{entry.folder_name}"}}'
    state.check_audit()


def test_a_kill_during_the_check_leaves_it_pending_and_it_is_checked_again(tmp_path, state, key):
    killed(lambda: state.hand_in(light(tmp_path, "team__a@1"), key, die))
    assert state.entry(1).state is State.PENDING
    assert state.repair() == []
    assert state.entry(1).state is State.PENDING
    assert [(entry.id, entry.state) for entry in state.repair(passes)] == [(1, State.CHECKED)]
    assert state.repair(passes) == []
    is_whole(state)


def test_the_next_one_who_hands_in_has_it_checked_first(tmp_path, state, key):
    killed(lambda: state.hand_in(light(tmp_path, "team__a@1"), key, die))
    assert state.hand_in(light(tmp_path, "team__b@1"), key, fails)[0].id == 2
    assert [entry.state for entry in state.entries()] == [State.FAILED, State.FAILED]
    is_whole(state)


@pytest.mark.parametrize("call", range(10))
def test_a_kill_at_any_rename_or_flush_is_put_right(tmp_path, state, key, call, monkeypatch):
    source = light(tmp_path, "team__a@1")
    calls = iter(range(100))

    def counted(real):
        def work(*args):
            if next(calls) == call:
                die()
            return real(*args)

        return work

    def work():
        monkeypatch.setattr(os, "fsync", counted(os.fsync))
        monkeypatch.setattr(Path, "rename", counted(Path.rename))
        state.hand_in(source, key, passes)

    status = os.waitpid(in_child(work), 0)[1]
    assert status == (signal.SIGKILL if call < 8 else 0)
    state.repair(passes)
    is_whole(state)
    assert len(state.entries()) <= 1
    if not state.entries():
        assert state.hand_in(source, key, passes)[0].id == 1


@pytest.mark.parametrize("call", range(4))
def test_a_kill_when_the_clock_is_read_is_put_right(tmp_path, state, key, call):
    calls, clock = iter(range(100)), Clock()

    def now():
        return die() if next(calls) == call else clock()

    work = RoundState(state.folder, now)
    status = os.waitpid(in_child(lambda: work.hand_in(light(tmp_path, "team__a@1"), key, passes)), 0)[1]
    assert status == (signal.SIGKILL if call < 3 else 0)
    state.repair(passes)
    is_whole(state)


def test_a_submission_that_another_process_checks_is_left_alone(tmp_path, state, key):
    ready, go = tmp_path / "ready", tmp_path / "go"

    def check(path):
        ready.touch()
        while not go.exists():
            time.sleep(0.001)
        return passes(path)

    child = in_child(lambda: state.hand_in(light(tmp_path, "team__a@1"), key, check))
    while not ready.exists():
        time.sleep(0.001)
    assert state.repair(fails) == []
    assert state.hand_in(light(tmp_path, "team__b@1"), key, passes)[0].id == 2
    assert state.entry(1).state is State.PENDING
    go.touch()
    assert os.waitpid(child, 0)[1] == 0
    assert state.entry(1).state is State.CHECKED
    is_whole(state)


def test_files_that_are_gone_are_a_failure(tmp_path, state, key):
    killed(lambda: state.hand_in(light(tmp_path, "team__a@1"), key, die))
    place = state.folder.submission(1)
    place.rename(tmp_path / "elsewhere")

    def check(path):
        return passes(path) if path.exists() else fails(path)

    assert [entry.state for entry in state.repair(check)] == [State.FAILED]


def test_folders_that_nobody_fills_are_removed_and_others_kept(state, key):
    top = state.folder.submissions
    for name in (".incoming-dead", "000007", "000001"):
        (top / name / "team__a@1").mkdir(parents=True)
    (top / "notes.txt").touch()
    state.repair()
    assert [path.name for path in top.iterdir()] == ["notes.txt"]


def test_a_database_that_was_put_back_from_an_older_copy_removes_nothing(tmp_path, state, key):
    old = state.folder.database.read_bytes()
    state.hand_in(light(tmp_path, "team__a@1"), key, passes)
    state.folder.database.write_bytes(old)
    for act in (state.repair, lambda: state.hand_in(light(tmp_path, "team__b@1"), key, passes)):
        with pytest.raises(StoreError, match="The database is older") as caught:
            act()
    assert "Submission 1 was checked" in caught.value.why
    assert (state.folder.submission(1) / "team__a@1/artifact.json").exists()


def test_hand_ins_killed_at_random_moments_are_neither_lost_nor_doubled(tmp_path, state, key):
    names = [f"team__method@{one}" for one in range(400)]
    sources = [light(tmp_path / "home", name) for name in names]
    told, delays, kills = tmp_path / "told", random.Random(0), 0
    start = time.perf_counter()
    state.hand_in(light(tmp_path / "home", "team__first@1"), key, passes)
    one = time.perf_counter() - start

    def work():
        taken = {entry.folder_name for entry in state.entries()}
        for source in sources:
            if source.name not in taken:
                state.hand_in(source, key, passes)
                with told.open("a", encoding="utf-8") as stream:
                    stream.write(source.name + "\n")

    while kills < 30:
        child = in_child(work)
        time.sleep(delays.uniform(0.1, 4) * one)
        os.kill(child, signal.SIGKILL)
        kills += os.waitpid(child, 0)[1] == signal.SIGKILL
    state.repair(passes)
    is_whole(state)
    taken = [entry.folder_name for entry in state.entries()]
    assert taken == ["team__first@1", *names][: len(taken)]
    assert len(taken) > 5
    assert set(told.read_text(encoding="utf-8").split()) <= set(taken)
