"""The database of a round: SQLite with a write-ahead log, one connection for each transaction.

A connection that lives as long as its transaction can be used from any process or thread, and leaves nothing open in
a process that is killed. Only processes of one host may use it: the write-ahead log is shared memory.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from mibench.core.errors import RoundError, StoreError
from mibench.core.files import exists

VERSION = 1
"""Version of the tables, kept in ``user_version``."""
BUSY_SECONDS = 120.0
"""How long a transaction waits for those before it."""
_OWNER_ONLY = 0o600
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_PAUSE = 0.01

_TABLES = (
    """CREATE TABLE teams (
        team TEXT PRIMARY KEY COLLATE NOCASE,
        contact TEXT NOT NULL,
        key_sha256 TEXT NOT NULL UNIQUE,
        registered TEXT NOT NULL)""",
    """CREATE TABLE entries (
        id INTEGER PRIMARY KEY CHECK (id > 0),
        team TEXT NOT NULL REFERENCES teams (team),
        method TEXT NOT NULL,
        version TEXT NOT NULL,
        folder_name TEXT NOT NULL,
        handed_in TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        final_state TEXT,
        final_reason TEXT,
        nominated INTEGER NOT NULL DEFAULT 0 CHECK (nominated IN (0, 1)),
        sha256 TEXT NOT NULL,
        tracks TEXT NOT NULL DEFAULT '',
        supersedes INTEGER REFERENCES entries (id))""",
    "CREATE INDEX entries_of_team ON entries (team)",
    """CREATE TABLE audit (
        seq INTEGER PRIMARY KEY,
        time TEXT NOT NULL,
        actor TEXT NOT NULL,
        entry INTEGER REFERENCES entries (id),
        what TEXT NOT NULL,
        reason TEXT,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL)""",
    "CREATE INDEX audit_of_entry ON audit (entry, what)",
    """CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    # INSERT OR REPLACE removes a row without the trigger for it.
    """CREATE TRIGGER audit_is_appended BEFORE INSERT ON audit
        WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit)
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    """CREATE TRIGGER entries_are_kept BEFORE DELETE ON entries
        BEGIN SELECT RAISE(ABORT, 'submissions are never removed'); END""",
)


@contextmanager
def creating(path: Path) -> Iterator[sqlite3.Connection]:
    """Make the database, and give a transaction that fills it; one that a crash left empty is taken.

    Raises:
        RoundError: There is one.
        StoreError: It cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The files that SQLite puts beside it take its rights.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, _OWNER_ONLY))
    except OSError as error:
        do = "Free space or choose another folder."
        raise StoreError(f"{path} cannot be made.", why=f"{error.strerror or error}.", do=do) from error
    with _transaction(path, "BEGIN IMMEDIATE", versions=()) as db:
        if _version(db):
            raise RoundError("This round is open already.", why=f"{path} exists.", do="Choose another folder.")
        for table in _TABLES:
            db.execute(table)
        db.execute(f"PRAGMA user_version = {VERSION}")
        yield db


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a transaction that no other one writes beside; it is undone where the block raises.

    Raises:
        RoundError: There is no database.
        StoreError: It cannot be used.
    """
    with _transaction(path, "BEGIN IMMEDIATE") as db:
        yield db


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a transaction that sees the database as it is at one moment.

    Raises:
        RoundError: There is no database.
        StoreError: It cannot be used.
    """
    with _transaction(path, "BEGIN") as db:
        yield db


@contextmanager
def _transaction(path: Path, begin: str, versions: tuple[int, ...] = (VERSION,)) -> Iterator[sqlite3.Connection]:
    if not exists(path):
        raise _not_open(path)
    try:
        with closing(_begun(path, begin)) as db:
            if versions:
                _check_version(db, path)
            yield db
            db.execute("COMMIT")
    except sqlite3.Error as error:
        raise _unusable(path, f"{error}.") from error


def _begun(path: Path, begin: str) -> sqlite3.Connection:
    """Connect and begin; nothing has happened until then, so a busy moment is waited for and tried again."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        db = sqlite3.connect(_address(path), uri=True, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            _set_up(db, path)
            db.execute(begin)
        except sqlite3.OperationalError as error:
            db.close()
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > end:
                raise
            time.sleep(_PAUSE)
        except BaseException:
            db.close()
            raise
        else:
            return db


def _address(path: Path) -> str:
    return f"{path.absolute().as_uri()}?mode=rw"


def _set_up(db: sqlite3.Connection, path: Path) -> None:
    db.row_factory = sqlite3.Row
    mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        why = f"Its file system has no write-ahead log (the journal is '{mode}'), as most network file systems."
        raise StoreError(f"{path} cannot be used.", why=why, do="Put the round's folder on a disk of this machine.")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    version = _version(db)
    if version == 0:
        raise _not_open(path)
    if version != VERSION:
        why = f"Its tables have version {version}; this mibench reads {VERSION}."
        raise StoreError(f"{path} cannot be used.", why=why, do="Use the version of mibench that made it.")


def _not_open(path: Path) -> RoundError:
    do = "Open it with mibench shared-task open."
    return RoundError(f"{path.parent} holds no open round.", why=f"There is no {path.name}.", do=do)


def _unusable(path: Path, why: str) -> StoreError:
    do = "Check the disk and the rights of the folder; what was there before is unchanged."
    return StoreError(f"{path} cannot be used.", why=why, do=do)
