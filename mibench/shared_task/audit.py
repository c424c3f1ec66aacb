"""The audit log: every change of a round, one line each, chained by their hashes and never changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from mibench.core.errors import DataError, StoreError
from mibench.core.files import atomic_write, read_text
from mibench.core.hashing import canonical_json, digest

ORGANISER = "organiser"
FIRST = "0" * 64
"""What the first line has in the place of a hash before it."""
_COLUMNS = "seq, time, actor, entry, what, reason, previous, hash"


@dataclass(frozen=True)
class AuditLine:
    """One change.

    Attributes:
        seq: Place of the line, from 1.
        time: When, UTC, as the clock of the machine said; the order of lines is that of ``seq``.
        actor: Team that asked for it, or ``organiser``.
        entry: Submission that it is about; None: the round.
        what: What happened.
        reason: Why, or with what.
        previous: Hash of the line before.
        hash: sha256 of the canonical JSON of all the rest.
    """

    seq: int
    time: str
    actor: str
    entry: int | None
    what: str
    reason: str | None
    previous: str
    hash: str


_LINE = TypeAdapter(AuditLine)


@dataclass(frozen=True)
class Event:
    """What a new line says.

    Attributes:
        what: What happened.
        actor: Who asked for it.
        entry: Submission that it is about.
        reason: Why, or with what.
    """

    what: str
    actor: str = ORGANISER
    entry: int | None = None
    reason: str | None = None


def stamp(time: datetime) -> str:
    """A time as it is stored: ISO, UTC, to the microsecond, so that texts sort as times do."""
    return time.isoformat(timespec="microseconds")


def append(db: sqlite3.Connection, event: Event, time: datetime) -> None:
    """Add a line; part of the transaction that makes the change."""
    last = db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    seq, previous = (last["seq"] + 1, last["hash"]) if last else (1, FIRST)
    values = {"seq": seq, "time": stamp(time), **asdict(event), "previous": previous}
    db.execute(
        f"INSERT INTO audit ({_COLUMNS}) VALUES (:seq, :time, :actor, :entry, :what, :reason, :previous, :hash)",  # noqa: S608
        values | {"hash": digest(values)},
    )


def lines(db: sqlite3.Connection) -> list[AuditLine]:
    """All lines, in order."""
    return [AuditLine(**row) for row in db.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY seq")]  # noqa: S608


def head(db: sqlite3.Connection) -> str:
    """Hash of the last line: whoever has kept it can tell whether lines before it were changed."""
    last = db.execute("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    return str(last["hash"]) if last else FIRST


def check_chain(found: Sequence[AuditLine]) -> None:
    """Check that lines are the whole log, from its first line on, unchanged.

    Raises:
        StoreError: They are not; it names the first line that does not fit.
    """
    previous = FIRST
    for place, line in enumerate(found, start=1):
        values = asdict(line)
        own = values.pop("hash")
        faults = {
            f"It has the number {line.seq}.": line.seq != place,
            "It does not follow from the line before.": line.previous != previous,
            "It was changed: its hash is another.": digest(values) != own,
        }
        why = next((words for words, is_so in faults.items() if is_so), None)
        if why is not None:
            raise broken(place, why)
        previous = own


def broken(place: int, why: str) -> StoreError:
    """The error of a log that does not hold, from line ``place`` on."""
    do = "Compare it with a copy that was published; what follows the line cannot be trusted."
    return StoreError(f"The audit log does not hold at line {place}.", why=why, do=do)


def write_lines(found: Iterable[AuditLine], path: Path) -> None:
    """Write lines to a file, one JSON object each.

    Raises:
        StoreError: It cannot be written.
    """
    atomic_write(path, b"".join(canonical_json(asdict(line)) + b"\n" for line in found))


def read_lines(path: Path) -> list[AuditLine]:
    """Read a file of lines.

    Raises:
        UsageError: There is no such file.
        DataError: It is no audit log.
    """
    found = []
    for number, text in enumerate(read_text(path).removesuffix("\n").split("\n"), start=1):
        try:
            found.append(_LINE.validate_json(text, strict=True))
        except ValidationError as error:
            do = "Take the log that the organisers published."
            raise DataError(f"{path} is no audit log.", why=f"Line {number} is none.", do=do) from error
    return found
