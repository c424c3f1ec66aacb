"""Follow the audit log from its first line, and hold what it gives against what the database says."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from mibench.core.errors import RoundError
from mibench.intake.names import folder_name
from mibench.intake.round import SplitName
from mibench.shared_task.audit import AuditLine, broken, check_chain, lines, stamp
from mibench.shared_task.changes import ARRIVED, CLOSED, CREATED, NOMINATED, NOT_NOMINATED
from mibench.shared_task.entries import Entry, all_entries, arrival_words
from mibench.shared_task.states import State, check_move
from mibench.shared_task.teams import REGISTERED, RENEWED, teams


@dataclass
class _Told:
    """What lines say of a submission so far."""

    team: str
    arrival: str | None
    time: str
    line: int
    states: dict[str, State | None]
    reasons: dict[str, str | None]
    nominated: bool = False


def check_log(db: sqlite3.Connection) -> None:
    """Check that the log is whole, that every step in it is allowed, and that it gives what the database says.

    Raises:
        StoreError: It does not; it names the first line that does not fit.
    """
    found = lines(db)
    check_chain(found)
    told, known = _follow(found)
    if not found or {one.team for one in teams(db)} != known:
        raise broken(len(found), "It gives other teams than the database has.")
    entries = {entry.id: entry for entry in all_entries(db)}
    for number in sorted(set(told) | set(entries)):
        if number not in told:
            raise broken(len(found), f"No line tells of submission {number}, which the database has.")
        if number not in entries:
            raise broken(told[number].line, f"The database has no submission {number}.")
        _compare(entries[number], told[number])


def _follow(found: Sequence[AuditLine]) -> tuple[dict[int, _Told], set[str]]:
    told: dict[int, _Told] = {}
    known: set[str] = set()
    closed = False
    for line in found:
        why = None
        if (line.what == CREATED) != (line.seq == 1):
            why = f"A log begins with '{CREATED}', and nowhere else."
        elif line.entry is not None:
            why = _step(told, line, closed=closed)
        elif line.what == REGISTERED:
            known.add(line.reason or "")
        elif line.what == CLOSED:
            why, closed = ("The round was closed before." if closed else None), True
        elif line.what not in (CREATED, RENEWED):
            why = f"'{line.what[:80]}' is nothing that happens to a round."
        if why is not None:
            raise broken(line.seq, why)
    return told, known


def _step(told: dict[int, _Told], line: AuditLine, *, closed: bool) -> str | None:
    """Take one line of a submission; return why it cannot be."""
    number = line.entry or 0
    if line.what == ARRIVED:
        if number != len(told) + 1 or closed:
            return "Submissions are numbered in order of arrival, until the round is closed."
        states: dict[str, State | None] = {"standings": State.PENDING, "final": None}
        told[number] = _Told(line.actor, line.reason, line.time, line.seq, states, {"standings": None, "final": None})
        return None
    own = told.get(number)
    if own is None:
        return f"Submission {number} has not arrived."
    own.line = line.seq
    if line.what in (NOMINATED, NOT_NOMINATED):
        own.nominated = line.what == NOMINATED
        return None
    return _move(own, line, closed=closed)


def _move(own: _Told, line: AuditLine, *, closed: bool) -> str | None:
    split, _, name = line.what.partition(" ")
    if split not in get_args(SplitName) or name not in list(State):
        return f"'{line.what[:80]}' is nothing that happens to a submission."
    now, to = own.states[split], State(name)
    if now is None:
        if not (closed and own.nominated and to is State.CHECKED):
            return "Only nominated submissions of a round that is closed are scored on the final split."
    else:
        try:
            check_move(line.entry or 0, now, to)
        except RoundError as error:
            return f"{error.what} {error.why}"
    own.states[split], own.reasons[split] = to, line.reason
    return None


def _compare(entry: Entry, told: _Told) -> None:
    parts = folder_name(entry.team, entry.method, entry.version) if entry.folder_name else ""
    pairs = {
        "team": (entry.team, told.team),
        "time": (stamp(entry.handed_in), told.time),
        "name and digest": (arrival_words(entry.folder_name, entry.sha256), told.arrival),
        "method and version": (parts, entry.folder_name),
        "state": (entry.state, told.states["standings"]),
        "reason": (entry.reason, told.reasons["standings"]),
        "final state": (entry.final_state, told.states["final"]),
        "final reason": (entry.final_reason, told.reasons["final"]),
        "nomination": (entry.nominated, told.nominated),
    }
    for what, (own, said) in pairs.items():
        if own != said:
            raise broken(told.line, f"By it, the {what} of submission {entry.id} is {said}; the database says {own}.")
