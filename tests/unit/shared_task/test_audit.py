"""The audit log: append-only, chained, and what the database says follows from it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from open_rounds import Clock, fails, light, open_round, passes

from mibench.core.errors import DataError, StoreError, UsageError
from mibench.core.hashing import digest
from mibench.shared_task.audit import check_chain, read_lines
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.state import RoundState
from mibench.shared_task.states import State

ANOTHER = """INSERT INTO entries (id, team, method, version, folder_name, handed_in, state, sha256)
    SELECT 5, team, method, version, folder_name, handed_in, state, sha256 FROM entries WHERE id = 2"""
COLUMNS = ("seq", "time", "actor", "entry", "what", "reason", "previous")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A round with a bit of everything; tests change copies of it."""
    path = tmp_path_factory.mktemp("audit")
    clock = Clock()
    state = open_round(path, clock, valid_per_week=10)
    key = state.register("team", "secret@example.org")
    state.register("other", "other@example.org")
    for name, check in (("a", passes), ("b", fails), ("c", passes), ("d", passes)):
        state.hand_in(light(path / "home", f"team__{name}@1"), key, check)
    state.begin("standings")
    state.move(1, "standings", State.SCORED)
    state.move(3, "standings", State.CHECKED, "its worker is gone")
    state.nominate(1, key)
    key = state.register("team", "secret@example.org", renew=True)
    state.withdraw(4, key)
    state.close("early")
    state.begin("final")
    state.move(1, "final", State.SCORED)
    return state


@pytest.fixture
def state(made, tmp_path):
    shutil.copytree(made.folder.path, tmp_path / "ROUND")
    return RoundState(RoundFolder(tmp_path / "ROUND"), Clock())


def tamper(state, *statements):
    """Change the database as one who has the file, without triggers and foreign keys."""
    with closing(sqlite3.connect(state.folder.database)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)
        db.commit()


def chain_again(state):
    """Give all lines hashes that fit, as a forger would who does not know what was published."""
    with closing(sqlite3.connect(state.folder.database)) as db:
        previous = "0" * 64
        for row in db.execute(f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY seq").fetchall():
            values = dict(zip(COLUMNS, row, strict=True)) | {"previous": previous}
            previous = digest(values)
            db.execute("UPDATE audit SET previous = ?, hash = ? WHERE seq = ?", (values["previous"], previous, row[0]))
        db.commit()


def broken(state, line, words=""):
    with pytest.raises(StoreError, match=rf"does not hold at line {line}\.") as caught:
        state.check_audit()
    assert words in caught.value.why, caught.value.why


def test_every_change_has_its_line(state):
    state.check_audit()
    found = state.audit()
    assert [line.seq for line in found] == list(range(1, len(found) + 1))
    assert [(line.actor, line.entry, line.what) for line in found] == [
        ("organiser", None, "created"),
        ("organiser", None, "registered"),
        ("organiser", None, "registered"),
        ("team", 1, "handed in"),
        ("organiser", 1, "standings CHECKED"),
        ("team", 2, "handed in"),
        ("organiser", 2, "standings FAILED"),
        ("team", 3, "handed in"),
        ("organiser", 3, "standings CHECKED"),
        ("team", 4, "handed in"),
        ("organiser", 4, "standings CHECKED"),
        ("organiser", 1, "standings RUNNING"),
        ("organiser", 3, "standings RUNNING"),
        ("organiser", 4, "standings RUNNING"),
        ("organiser", 1, "standings SCORED"),
        ("organiser", 3, "standings CHECKED"),
        ("team", 1, "nominated"),
        ("organiser", None, "key renewed"),
        ("team", 4, "standings WITHDRAWN"),
        ("organiser", None, "closed"),
        ("organiser", 1, "final CHECKED"),
        ("organiser", 1, "final RUNNING"),
        ("organiser", 1, "final SCORED"),
    ]
    assert found[3].reason == f"team__a@1, sha256 {state.entry(1).sha256}"
    assert found[15].reason == "its worker is gone"


def test_a_hash_is_that_of_the_canonical_json_of_the_rest(state):
    first, second = state.audit()[:2]
    own = {"actor": "organiser", "entry": None, "previous": "0" * 64, "reason": None, "seq": 1}
    assert first.hash == digest(own | {"time": "2026-03-02T12:00:00.000000+00:00", "what": "created"})
    assert second.previous == first.hash


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'another' WHERE seq = 4",
        "UPDATE audit SET hash = hash",
        "DELETE FROM audit WHERE seq = 23",
        "DELETE FROM audit",
        "REPLACE INTO audit SELECT seq, time, actor, entry, what, 'x', previous, hash FROM audit WHERE seq = 4",
        "INSERT INTO audit SELECT 99, time, actor, entry, what, reason, previous, hash FROM audit WHERE seq = 4",
        "INSERT INTO audit SELECT 0, time, actor, entry, what, reason, previous, hash FROM audit WHERE seq = 4",
        "DELETE FROM entries WHERE id = 4",
    ],
)
def test_the_database_refuses_to_change_the_log(state, statement):
    before = state.audit(), state.entries()
    with closing(sqlite3.connect(state.folder.database)) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(statement)
    assert (state.audit(), state.entries()) == before


@pytest.mark.parametrize("column", COLUMNS[1:])
def test_a_line_that_was_changed_is_named(state, column):
    value = 2 if column == "entry" else "another"
    tamper(state, (f"UPDATE audit SET {column} = ? WHERE seq = 5", (value,)))
    broken(state, 5)


@pytest.mark.parametrize("line", [1, 2, 11, 22])
def test_a_line_that_is_gone_is_named(state, line):
    tamper(state, f"DELETE FROM audit WHERE seq = {line}")
    broken(state, line, "It has the number")


def test_lines_that_changed_places_are_named(state):
    tamper(
        state,
        "UPDATE audit SET seq = 99 WHERE seq = 5",
        "UPDATE audit SET seq = 5 WHERE seq = 6",
        "UPDATE audit SET seq = 6 WHERE seq = 99",
    )
    broken(state, 5, "does not follow from the line before")


def test_the_last_line_cannot_be_cut_off_unseen(state):
    tamper(state, "DELETE FROM audit WHERE seq = 23")
    broken(state, 22, "the final state of submission 1 is RUNNING; the database says SCORED")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE entries SET state = 'CHECKED' WHERE id = 2", "the state of submission 2 is FAILED"),
        ("UPDATE entries SET reason = 'another' WHERE id = 2", "the reason of submission 2"),
        ("UPDATE entries SET final_state = 'FAILED' WHERE id = 1", "the final state of submission 1"),
        ("UPDATE entries SET final_reason = 'slow' WHERE id = 1", "the final reason of submission 1"),
        ("UPDATE entries SET nominated = 1 WHERE id = 3", "the nomination of submission 3"),
        ("UPDATE entries SET team = 'other' WHERE id = 3", "the team of submission 3"),
        ("UPDATE entries SET handed_in = '2025-01-01T00:00:00+00:00' WHERE id = 3", "the time of submission 3"),
        ("UPDATE entries SET version = '2' WHERE id = 3", "the method and version of submission 3"),
        ("UPDATE entries SET sha256 = 'a' WHERE id = 3", "the name and digest of submission 3"),
        ("UPDATE entries SET folder_name = 'team__z@1' WHERE id = 3", "the name and digest of submission 3"),
        ("DELETE FROM entries WHERE id = 4", "The database has no submission 4"),
        (ANOTHER, "No line tells of submission 5"),
        ("DELETE FROM teams WHERE team = 'other'", "other teams"),
        ("UPDATE teams SET team = 'third' WHERE team = 'other'", "other teams"),
    ],
)
def test_a_database_that_says_something_else_is_found(state, statement, words):
    tamper(state, statement)
    with pytest.raises(StoreError, match="does not hold at line") as caught:
        state.check_audit()
    assert words in caught.value.why


@pytest.mark.parametrize(
    ("statement", "line", "words"),
    [
        ("UPDATE audit SET what = 'standings SCORED' WHERE seq = 5", 5, "It is PENDING, and can become"),
        ("UPDATE audit SET what = 'standings WON' WHERE seq = 5", 5, "nothing that happens to a submission"),
        ("UPDATE audit SET what = 'finals CHECKED' WHERE seq = 5", 5, "nothing that happens to a submission"),
        ("UPDATE audit SET what = 'final CHECKED' WHERE seq = 5", 5, "Only nominated submissions"),
        ("UPDATE audit SET what = 'opened' WHERE seq = 2", 2, "nothing that happens to a round"),
        ("UPDATE audit SET what = 'created' WHERE seq = 2", 2, "A log begins with"),
        ("UPDATE audit SET what = 'registered' WHERE seq = 1", 1, "A log begins with"),
        ("UPDATE audit SET what = 'closed' WHERE seq = 18", 20, "closed before"),
        ("UPDATE audit SET entry = 9 WHERE seq = 5", 5, "Submission 9 has not arrived"),
        ("UPDATE audit SET entry = 3 WHERE seq = 6", 6, "numbered in order of arrival"),
    ],
)
def test_a_log_that_was_forged_with_good_hashes_has_to_tell_a_story_that_is_possible(state, statement, line, words):
    tamper(state, statement)
    chain_again(state)
    broken(state, line, words)


def test_an_empty_log_is_not_whole(state):
    tamper(state, "DELETE FROM audit")
    broken(state, 0)


def test_a_written_log_is_read_again_and_can_be_checked_by_anyone(state, tmp_path):
    path = tmp_path / "audit.jsonl"
    state.write_audit(path)
    found = read_lines(path)
    assert found == state.audit()
    check_chain(found)
    text = path.read_text(encoding="utf-8")
    assert "example.org" not in text
    assert json.loads(text.splitlines()[0])["what"] == "created"
    with pytest.raises(StoreError, match="at line 7"):
        check_chain([*found[:6], replace(found[6], reason="none"), *found[7:]])
    with pytest.raises(StoreError, match="at line 1"):
        check_chain(found[1:])


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"seq": 1}', "[" * 100_000, "{\n}", "NaN"])
def test_a_file_that_is_no_log_is_refused(tmp_path, text):
    (tmp_path / "audit.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="is no audit log"):
        read_lines(tmp_path / "audit.jsonl")
    with pytest.raises(UsageError):
        read_lines(tmp_path / "missing.jsonl")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.data())
def test_any_single_change_of_a_published_log_is_seen(made, data):
    found = made.audit()
    place = data.draw(st.integers(0, len(found) - 1))
    key = data.draw(st.sampled_from((*COLUMNS, "hash")))
    value = data.draw(st.integers(0, 99) if key in ("seq", "entry") else st.text(max_size=70))
    changed = replace(found[place], **{key: value})
    if changed == found[place]:
        return
    with pytest.raises(StoreError, match=f"at line {place + 1}"):
        check_chain([*found[:place], changed, *found[place + 1 :]])
