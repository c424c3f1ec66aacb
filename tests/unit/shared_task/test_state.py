"""The story of a round: teams, submissions, nominations, closing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, timedelta

import pytest
from open_rounds import DAY, START, Clock, fails, light, open_round, passes, submission

from mibench.core.errors import RoundError, StoreError, UsageError
from mibench.core.specs import Track
from mibench.intake.check import check_submission
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.state import RoundState, utc
from mibench.shared_task.states import State


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def state(tmp_path, clock):
    return open_round(tmp_path, clock, valid_per_week=3)


@pytest.fixture
def key(state):
    return state.register("team", "team@example.org")


def put(state, tmp_path, name, key, check=passes, **changes):
    return state.hand_in(light(tmp_path / "home", name, **changes), key, check)[0]


def test_a_good_submission_is_numbered_copied_and_checked(tmp_path, state, key):
    source = submission(tmp_path)
    entry, report = state.hand_in(source, key, check_submission)
    assert report.passed
    assert (entry.id, entry.team, entry.method, entry.version) == (1, "team", "method", "1")
    assert (entry.state, entry.reason, entry.final_state, entry.nominated) == (State.CHECKED, None, None, False)
    assert (entry.handed_in, entry.tracks, entry.valid, entry.scored) == (START, (Track.CIRCUIT,), True, False)
    copy = state.folder.path / "submissions/000001/team__method@1"
    kept, given = ([p.relative_to(top) for p in sorted(top.rglob("*"))] for top in (copy, source))
    assert kept == given
    assert (copy / "submission.yaml").read_bytes() == (source / "submission.yaml").read_bytes()
    assert state.report(1) == report
    assert state.entries() == [state.entry(1)] == [entry]
    state.check_audit()


def test_one_with_mistakes_fails_and_keeps_its_report_and_its_files(tmp_path, state, key):
    source = submission(tmp_path, licence=None, authors=[])
    entry, report = state.hand_in(source, key, check_submission)
    assert (entry.state, entry.reason, entry.valid) == (State.FAILED, "its check found failures", False)
    assert [one.what for one in state.report(1).failures] == [one.what for one in report.failures]
    assert len(report.failures) == 2
    assert (state.folder.submission(1) / entry.folder_name / "submission.yaml").exists()


def test_what_failed_may_be_mended_under_its_name(tmp_path, state, key):
    put(state, tmp_path / "a", "team__method@1", key, fails)
    assert put(state, tmp_path / "b", "team__method@1", key).state is State.CHECKED


def test_a_name_is_taken_until_it_is_withdrawn(tmp_path, state, key):
    put(state, tmp_path / "a", "team__method@1", key)
    with pytest.raises(RoundError, match="cannot be handed in") as caught:
        put(state, tmp_path / "b", "team__METHOD@1", key)
    assert caught.value.why == "Submission 1 has this name and is CHECKED."
    state.withdraw(1, key)
    assert put(state, tmp_path / "c", "team__METHOD@1", key).id == 2


@pytest.mark.parametrize("end", [State.SCORED, None])
def test_a_submission_whose_scoring_began_keeps_its_name_though_it_is_withdrawn(tmp_path, state, key, end):
    put(state, tmp_path / "a", "team__method@1", key)
    state.begin("standings")
    if end is not None:
        state.move(1, "standings", end)
    state.withdraw(1, key)
    with pytest.raises(RoundError, match="cannot be handed in") as caught:
        put(state, tmp_path / "b", "team__method@1", key)
    assert caught.value.do == "Give it another version, and name this one under supersedes."


def test_a_submission_whose_scoring_failed_keeps_its_name(tmp_path, state, key):
    put(state, tmp_path / "a", "team__method@1", key)
    state.begin("standings")
    state.move(1, "standings", State.FAILED, "it took too long")
    with pytest.raises(RoundError, match="cannot be handed in"):
        put(state, tmp_path / "b", "team__method@1", key)


@pytest.mark.parametrize("wrong", ["", "mbk_", "mbk_" + "A" * 32, "\ud800", "é"])
def test_a_wrong_key_hands_nothing_in(tmp_path, state, key, wrong):
    with pytest.raises(RoundError, match="The key is not known"):
        put(state, tmp_path, "team__method@1", wrong)
    assert state.entries() == []
    assert list(state.folder.submissions.iterdir()) == []


def test_a_key_is_for_its_own_team_alone(tmp_path, state, key):
    other = state.register("other", "other@example.org")
    with pytest.raises(RoundError, match="cannot be handed in") as caught:
        put(state, tmp_path, "team__method@1", other)
    assert caught.value.why == "The key is of the team other, the name says team."
    put(state, tmp_path / "a", "team__method@1", key)
    for act in (state.withdraw, state.nominate):
        with pytest.raises(RoundError, match="not of the team other"):
            act(1, other)
    assert state.entry(1).state is State.CHECKED


def test_nothing_is_taken_before_the_round_opens_or_after_its_deadline(tmp_path, state, key, clock):
    for time, why in ((START - 2 * DAY, "opens at"), (START + 40 * DAY + timedelta(seconds=1), "deadline was")):
        clock.time = time
        with pytest.raises(RoundError, match="Nothing is taken in now") as caught:
            put(state, tmp_path / str(time), "team__method@1", key)
        assert why in caught.value.why
    clock.time = START + 40 * DAY
    assert put(state, tmp_path, "team__method@1", key).id == 1


def test_the_deadline_is_when_it_arrives_not_when_its_check_ends(tmp_path, state, key, clock):
    clock.time = START + 40 * DAY

    def slow(path):
        clock.go(hours=3)
        return passes(path)

    assert put(state, tmp_path, "team__method@1", key, slow).state is State.CHECKED


def test_a_source_that_is_nothing_of_the_kind_is_a_usage_error(tmp_path, state, key):
    (tmp_path / "a.txt").write_text("", encoding="utf-8")
    for source in (tmp_path / "missing", tmp_path / "a.txt"):
        with pytest.raises(UsageError, match="cannot be handed in"):
            state.hand_in(source, key, passes)
    assert state.entries() == []


def test_a_withdrawn_submission_stays_in_the_list_and_is_not_scored(tmp_path, state, key):
    put(state, tmp_path, "team__a@1", key)
    put(state, tmp_path, "team__b@1", key)
    assert state.withdraw(1, key).state is State.WITHDRAWN
    assert [entry.id for entry in state.begin("standings")] == [2]
    with pytest.raises(RoundError, match="Submission 1 cannot become WITHDRAWN"):
        state.withdraw(1, key)
    state.check_audit()


def test_a_submission_that_is_withdrawn_during_its_check_stays_so(tmp_path, state, key):
    def check(path):
        state.withdraw(1, key)
        return passes(path)

    assert put(state, tmp_path, "team__a@1", key, check).state is State.WITHDRAWN
    state.check_audit()


def test_a_check_that_breaks_off_is_a_failure_and_the_queue_goes_on(tmp_path, state, key):
    def broken(path):
        raise RecursionError

    def refusing(path):
        raise UsageError("It is refused.", why="So.", do="Do.")

    entry, report = state.hand_in(light(tmp_path, "team__a@1"), key, broken)
    assert (entry.state, report.failures[0].why) == (State.FAILED, "The check broke off (RecursionError).")
    entry, report = state.hand_in(light(tmp_path, "team__b@1"), key, refusing)
    assert (entry.state, report.failures[0].what) == (State.FAILED, "It is refused.")
    assert put(state, tmp_path, "team__c@1", key).state is State.CHECKED


def test_an_older_version_is_linked_or_noted(tmp_path, state, key):
    put(state, tmp_path, "team__method@1", key)
    entry, report = state.hand_in(light(tmp_path, "team__method@2", supersedes="1"), key, passes)
    assert (entry.supersedes, report.notes) == (1, ())
    entry, report = state.hand_in(light(tmp_path, "team__other@2", supersedes="1"), key, passes)
    assert entry.supersedes is None
    assert report.notes == ("It supersedes version 1, which is not in this round.",)
    assert state.report(3) == report


def test_jobs_go_from_state_to_state_in_order_of_arrival(tmp_path, state, key):
    for name in "abc":
        put(state, tmp_path, f"team__{name}@1", key)
    assert [entry.id for entry in state.waiting("standings")] == [1, 2, 3]
    assert [(entry.id, entry.state) for entry in state.begin("standings")] == [(n, State.RUNNING) for n in (1, 2, 3)]
    assert state.begin("standings") == []
    assert state.move(2, "standings", State.CHECKED, "its worker is gone").reason == "its worker is gone"
    assert state.move(1, "standings", State.SCORED).scored
    assert state.move(3, "standings", State.FAILED, "it took too much memory").state is State.FAILED
    assert [entry.id for entry in state.begin("standings")] == [2]
    state.check_audit()


@pytest.mark.parametrize("to", [State.PENDING, State.RUNNING, State.CHECKED])
def test_what_is_scored_is_not_scored_again(tmp_path, state, key, to):
    put(state, tmp_path, "team__a@1", key)
    state.begin("standings")
    state.move(1, "standings", State.SCORED)
    with pytest.raises(RoundError, match=f"Submission 1 cannot become {to}"):
        state.move(1, "standings", to)


def test_moves_that_are_not_allowed_change_nothing(tmp_path, state, key):
    put(state, tmp_path, "team__a@1", key)
    before = state.entries(), state.audit()
    with pytest.raises(RoundError, match="There is no submission 2"):
        state.move(2, "standings", State.RUNNING)
    with pytest.raises(RoundError, match="There is no submission"):
        state.move(2**80, "standings", State.RUNNING)
    with pytest.raises(RoundError, match="no state on the final split"):
        state.move(1, "final", State.RUNNING)
    for reason in (None, " ", "two\nlines", "x" * 501):
        with pytest.raises(UsageError, match="The reason cannot be used"):
            state.move(1, "standings", State.FAILED, reason)
    for act in (state.waiting, state.begin):
        with pytest.raises(RoundError, match="The round is not closed"):
            act("final")
    assert (state.entries(), state.audit()) == before


def test_what_is_pending_is_changed_by_its_check_alone(tmp_path, state, key):
    def check(path):
        with pytest.raises(RoundError, match="Submission 1 cannot become CHECKED"):
            state.move(1, "standings", State.CHECKED)
        return passes(path)

    assert put(state, tmp_path, "team__a@1", key, check).state is State.CHECKED


def test_one_submission_a_team_and_track_is_nominated(tmp_path, state, key):
    for name in "ab":
        put(state, tmp_path, f"team__{name}@1", key)
    put(state, tmp_path, "team__c@1", key, fails)
    assert state.nominate(1, key).nominated
    assert state.nominate(1, key).nominated
    assert state.nominate(2, key).nominated
    assert [entry.nominated for entry in state.entries()] == [False, True, False]
    with pytest.raises(RoundError, match="Submission 3 cannot be nominated"):
        state.nominate(3, key)
    state.withdraw(2, key)
    assert not state.entry(2).nominated
    assert [line.what for line in state.audit()][-5:] == [
        "nominated",
        "nomination taken back",
        "nominated",
        "standings WITHDRAWN",
        "nomination taken back",
    ]
    state.check_audit()


def test_submissions_in_different_tracks_are_nominated_together(tmp_path, state, key):
    put(state, tmp_path, "team__a@1", key)
    own = {"track": "sae", "tasks": ["t"], "models": [], "file": "artifact.safetensors", "sha256": "0" * 64, "bytes": 1}
    put(state, tmp_path, "team__b@1", key, tracks=["sae"], artifacts=[own])
    state.nominate(1, key)
    state.nominate(2, key)
    assert [entry.nominated for entry in state.entries()] == [True, True]


def test_closing_fixes_what_is_scored_on_the_final_split(tmp_path, state, key, clock):
    other = state.register("other", "o@example.org")
    for name in "ab":
        put(state, tmp_path, f"team__{name}@1", key)
    put(state, tmp_path, "other__a@1", other)
    state.begin("standings")
    state.nominate(2, key)
    state.nominate(3, other)
    state.move(3, "standings", State.FAILED, "it took too long")
    clock.go(days=50)
    assert not state.closed
    state.close()
    assert state.closed
    assert [entry.final_state for entry in state.entries()] == [None, State.CHECKED, None]
    assert [entry.id for entry in state.begin("final")] == [2]
    state.move(2, "final", State.CHECKED, "its worker is gone")
    state.begin("final")
    assert state.move(2, "final", State.FAILED, "too slow").final_reason == "too slow"
    assert state.entry(2).state is State.RUNNING
    for act in (
        lambda: put(state, tmp_path, "team__z@1", key),
        lambda: state.withdraw(1, key),
        lambda: state.nominate(1, key),
        lambda: state.register("late", "l@example.org"),
        state.close,
    ):
        with pytest.raises(RoundError, match="The round is closed"):
            act()
    state.check_audit()


def test_what_fails_on_the_standings_after_closing_does_not_wait_for_the_final_split(tmp_path, state, key):
    put(state, tmp_path, "team__a@1", key)
    state.nominate(1, key)
    state.close("early")
    state.begin("standings")
    entry = state.move(1, "standings", State.FAILED, "it took too long")
    assert (entry.state, entry.final_state, entry.final_reason) == (State.FAILED, State.FAILED, "it took too long")
    assert state.begin("final") == []
    state.check_audit()


def test_a_round_is_closed_early_for_a_reason_only(state):
    with pytest.raises(RoundError, match="cannot be closed yet"):
        state.close()
    with pytest.raises(UsageError, match="The reason cannot be used"):
        state.close(" ")
    state.close("the hall is flooded")
    assert state.audit()[-1].reason == "the hall is flooded"


@pytest.mark.parametrize("split", ["standings", "final"])
def test_an_organiser_withdraws_on_both_splits(tmp_path, state, key, split):
    put(state, tmp_path, "team__a@1", key)
    state.nominate(1, key)
    state.close("early")
    entry = state.move(1, split, State.WITHDRAWN, "it holds somebody else's data")
    assert (entry.state, entry.final_state, entry.nominated) == (State.WITHDRAWN, State.WITHDRAWN, False)
    assert state.waiting("final") == []
    state.check_audit()


def test_a_summary_counts_and_shows_nothing_private(tmp_path, state, key):
    state.register("other", "secret@example.org")
    for name in "abc":
        put(state, tmp_path, f"team__{name}@1", key, fails if name == "c" else passes)
    state.nominate(2, key)
    found = state.summary()
    assert (found.closed, found.handed_in, found.states) == (False, 3, {"CHECKED": 2, "FAILED": 1})
    assert found.final_states == {}
    assert found.audit_head == state.audit()[-1].hash
    other, team = found.teams
    assert (other.team, other.handed_in) == ("other", 0)
    assert (team.valid, team.in_seven_days, team.nominated) == (2, 2, (2,))
    shown = str(asdict(found))
    assert "example.org" not in shown
    assert key not in shown


def test_a_round_is_opened_once_and_not_used_before(tmp_path, state):
    with pytest.raises(RoundError, match="This round is open already"):
        state.create()
    with pytest.raises(RoundError, match="holds no open round"):
        RoundState(RoundFolder(tmp_path)).entries()
    assert not RoundFolder(tmp_path).database.exists()


def test_private_files_are_their_owners_alone(tmp_path, state, key):
    put(state, tmp_path, "team__a@1", key)
    top = state.folder.submissions
    assert state.folder.database.stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in (top, *top.rglob("*")) if path.is_dir()} == {0o700}


def test_a_full_disk_leaves_no_submission(tmp_path, state, key, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    source = light(tmp_path, "team__a@1")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StoreError, match="could not be kept"):
            state.hand_in(source, key, passes)
    assert (state.entries(), list(state.folder.submissions.iterdir())) == ([], [])
    assert state.hand_in(source, key, passes)[0].id == 1


def test_times_are_kept_in_utc(tmp_path):
    assert utc().tzinfo is UTC
    zoned = open_round(tmp_path, START.astimezone)
    assert zoned.audit()[0].time == "2026-03-02T12:00:00.000000+00:00"
