"""Many processes at one desk: nothing is lost, nothing counts twice, and the order is that of arrival."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import pytest
from open_rounds import in_child, light, open_round, passes, submission

from mibench.core.errors import RoundError
from mibench.intake.check import check_submission
from mibench.shared_task.state import utc
from mibench.shared_task.states import State

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fork")
PROCESSES = 8


def at_once(works):
    """Run each in a process of its own, all at once; all have to end well."""
    children = [in_child(work) for work in works]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * len(children)


def queue(tmp_path, n, make, check):
    """Have teams hand in ``n`` submissions each at once; check what must hold."""
    state = open_round(tmp_path, valid_per_week=1000)
    teams = [f"team{one}" for one in range(PROCESSES)]
    keys = {team: state.register(team, "a@example.org") for team in teams}
    sources = {team: [make(tmp_path / "home", team, str(one)) for one in range(n)] for team in teams}

    def hand_in(team):
        for source in sources[team]:
            entry, report = state.hand_in(source, keys[team], check)
            assert (entry.state, entry.team, report.passed) == (State.CHECKED, team, True), report.failures

    at_once([lambda team=team: hand_in(team) for team in teams])
    entries = state.entries()
    assert [entry.id for entry in entries] == list(range(1, PROCESSES * n + 1))
    assert sorted(path.name for path in state.folder.submissions.iterdir()) == [f"{e.id:06d}" for e in entries]
    for team in teams:
        own = [entry.folder_name for entry in entries if entry.team == team]
        assert own == [source.name for source in sources[team]]
    for entry in entries:
        (copy,) = [path for path in state.folder.submission(entry.id).iterdir() if path.is_dir()]
        assert copy.name == entry.folder_name
    assert len({entry.sha256 for entry in entries}) == len(entries)
    arrivals = [line.entry for line in state.audit() if line.what == "handed in"]
    assert arrivals == [entry.id for entry in entries]
    state.check_audit()
    assert sorted(path.name for path in state.folder.path.glob("state.sqlite*")) == ["state.sqlite"]
    assert [entry.id for entry in state.begin("standings")] == arrivals
    return state


def test_200_submissions_by_8_processes_are_all_there_once_and_in_order(tmp_path, monkeypatch):
    # Flushing files is for power cuts, and most of the time; the database flushes as ever.
    monkeypatch.setattr(os, "fsync", lambda _: None)
    queue(tmp_path, 25, lambda parent, team, one: light(parent, f"{team}__method@{one}"), passes)


@pytest.mark.slow
def test_200_submissions_that_are_really_checked(tmp_path):
    def make(parent, team, one):
        return submission(parent, version=one, team=team)

    assert check_submission(submission(tmp_path)).passed
    queue(tmp_path, 25, make, check_submission)


def test_a_few_submissions_that_are_really_checked(tmp_path):
    def make(parent, team, one):
        return submission(parent, version=one, team=team)

    # What the check imports is loaded once, before the processes part.
    assert check_submission(submission(tmp_path)).passed
    queue(tmp_path, 1, make, check_submission)


def test_processes_of_one_team_do_not_slip_through_its_quota(tmp_path):
    state = open_round(tmp_path, valid_per_week=2)
    key = state.register("team", "a@example.org")
    sources = [light(tmp_path, f"team__method@{one}") for one in range(PROCESSES)]

    def check(path):
        # All have arrived before the first check ends: each saw a quota that was free.
        (tmp_path / f"arrived-{path.name}").touch()
        while len(list(tmp_path.glob("arrived-*"))) < PROCESSES:
            time.sleep(0.001)
        return passes(path)

    def hand_in(source):
        entry, report = state.hand_in(source, key, check)
        assert report.passed == (entry.state is State.CHECKED)

    at_once([lambda source=source: hand_in(source) for source in sources])
    states = [entry.state for entry in state.entries()]
    assert sorted(states) == [State.CHECKED] * 2 + [State.FAILED] * (PROCESSES - 2)
    for entry in state.entries():
        failures = state.report(entry.id).failures
        assert [one.what for one in failures] == ["The team's quota is used up."] * (entry.state is State.FAILED)
    state.check_audit()


def test_processes_that_hand_in_the_same_name_have_one_of_them_taken(tmp_path):
    state = open_round(tmp_path, valid_per_week=100)
    key = state.register("team", "a@example.org")
    source = light(tmp_path, "team__method@1")

    def hand_in():
        with suppress(RoundError):
            state.hand_in(source, key, passes)

    at_once([hand_in] * PROCESSES)
    assert [entry.folder_name for entry in state.entries()] == ["team__method@1"]
    assert [path.name for path in state.folder.submissions.iterdir()] == ["000001"]


def test_two_drivers_do_not_begin_the_same_submissions(tmp_path):
    state = open_round(tmp_path, valid_per_week=100)
    key = state.register("team", "a@example.org")
    for one in range(20):
        state.hand_in(light(tmp_path, f"team__method@{one}"), key, passes)

    def drive(driver):
        begun = [entry.id for entry in state.begin("standings")]
        (tmp_path / f"begun-{driver}").write_text(" ".join(map(str, begun)), encoding="utf-8")

    at_once([lambda driver=driver: drive(driver) for driver in range(PROCESSES)])
    begun = [path.read_text(encoding="utf-8").split() for path in tmp_path.glob("begun-*")]
    assert sorted(int(one) for part in begun for one in part) == list(range(1, 21))


def test_a_round_is_made_by_one_of_several_processes(tmp_path):
    state = open_round(tmp_path, utc)
    state.folder.database.unlink()

    def make(one):
        with suppress(RoundError):
            state.create()
            (tmp_path / f"made-{one}").touch()

    at_once([lambda one=one: make(one) for one in range(PROCESSES)])
    assert len(list(tmp_path.glob("made-*"))) == 1
    assert [line.what for line in state.audit()] == ["created"]
