"""The database's settings, its version, and what it says when it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing

import pytest
from open_rounds import open_round

from mibench.core.errors import RoundError, StoreError
from mibench.shared_task import database
from mibench.shared_task.database import VERSION, creating, reading, writing


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a ?#% folder/state.sqlite"
    with creating(path):
        pass
    return path


def test_a_transaction_is_safe_against_power_cuts_and_checks_references(path):
    with writing(path) as db:
        values = [
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "user_version")
        ]
        assert values == ["wal", 2, VERSION]
        assert db.execute("PRAGMA busy_timeout").fetchone()[0] >= 60_000
        assert db.in_transaction
    with pytest.raises(StoreError, match="cannot be used") as caught, writing(path) as db:
        db.execute("INSERT INTO audit VALUES (1, 't', 'a', 7, 'w', NULL, 'p', 'h')")
    assert "FOREIGN KEY" in caught.value.why


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_raises_is_undone(path, failure):
    def work():
        with writing(path) as db:
            db.execute("INSERT INTO teams VALUES ('a', 'c', 'k', 't')")
            raise failure

    with pytest.raises(failure):
        work()
    with reading(path) as db:
        assert db.execute("SELECT count(*) FROM teams").fetchone()[0] == 0


def test_a_reader_sees_one_moment(path):
    with reading(path) as old:
        assert old.execute("SELECT count(*) FROM teams").fetchone()[0] == 0
        with writing(path) as db:
            db.execute("INSERT INTO teams VALUES ('a', 'c', 'k', 't')")
        assert old.execute("SELECT count(*) FROM teams").fetchone()[0] == 0
    with reading(path) as new:
        assert new.execute("SELECT count(*) FROM teams").fetchone()[0] == 1


def test_writers_wait_for_each_other(path):
    order = []

    def write():
        with writing(path):
            order.append("second")

    with writing(path):
        other = threading.Thread(target=write)
        other.start()
        time.sleep(0.1)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_a_writer_that_waits_too_long_says_so(path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with writing(path), pytest.raises(StoreError, match="cannot be used") as caught, writing(path):
        pass
    assert "locked" in caught.value.why


def test_a_newer_version_is_refused(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    for use in (reading, writing):
        with pytest.raises(StoreError, match="cannot be used") as caught, use(path):
            pass
        assert caught.value.why == f"Its tables have version {VERSION + 1}; this mibench reads {VERSION}."
    with pytest.raises(RoundError, match="open already"), creating(path):
        pass


def test_a_file_system_without_a_write_ahead_log_is_refused(tmp_path, monkeypatch):
    own = database._address
    monkeypatch.setattr(database, "_address", lambda path: f"{own(path)}&vfs=unix-dotfile")
    with pytest.raises(StoreError, match="cannot be used") as caught, creating(tmp_path / "state.sqlite"):
        pass
    assert "most network file systems" in caught.value.why


@pytest.mark.parametrize("content", [b"SQLite format 3\0 and so on" * 100, b"text" * 1000, os.urandom(5000)])
def test_what_is_no_database_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "state.sqlite"
    path.write_bytes(content)
    for use in (creating, reading, writing):
        with pytest.raises(StoreError, match="cannot be used"), use(path):
            pass
    assert path.read_bytes() == content


def test_a_database_that_a_crash_left_empty_is_made_again(tmp_path):
    path = tmp_path / "state.sqlite"
    path.touch()
    for use in (reading, writing):
        with pytest.raises(RoundError, match="holds no open round"), use(path):
            pass
    with creating(path) as db:
        assert db.execute("SELECT count(*) FROM entries").fetchone()[0] == 0


def test_a_half_made_database_is_undone(tmp_path):
    path = tmp_path / "state.sqlite"
    with pytest.raises(KeyboardInterrupt), creating(path):
        raise KeyboardInterrupt
    with creating(path):
        pass
    with reading(path) as db:
        assert db.execute("SELECT count(*) FROM teams").fetchone()[0] == 0


def test_a_folder_in_the_place_of_the_database_is_refused(tmp_path):
    (tmp_path / "state.sqlite").mkdir()
    for use in (creating, writing):
        with pytest.raises(StoreError, match=r"state\.sqlite cannot be"), use(tmp_path / "state.sqlite"):
            pass


def test_files_beside_the_database_are_their_owners_alone(tmp_path):
    state = open_round(tmp_path)
    with writing(state.folder.database) as db:
        db.execute("INSERT INTO teams VALUES ('a', 'c', 'k', 't')")
        found = {path.name: path.stat().st_mode & 0o777 for path in state.folder.path.glob("state.sqlite*")}
    assert found == {"state.sqlite": 0o600, "state.sqlite-wal": 0o600, "state.sqlite-shm": 0o600}
    assert [path.name for path in state.folder.path.glob("state.sqlite*")] == ["state.sqlite"]
