"""Changes of submissions: each one is allowed, and has its line in the audit log."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from mibench.core.errors import RoundError
from mibench.intake.round import SplitName
from mibench.shared_task.audit import ORGANISER, Event, append, stamp
from mibench.shared_task.entries import Arrival, Entry, all_entries, find_entry, last_number
from mibench.shared_task.states import ALIVE, State, check_move

_COLUMNS = {"standings": ("state", "reason"), "final": ("final_state", "final_reason")}
NOMINATED, NOT_NOMINATED = "nominated", "nomination taken back"
CREATED, CLOSED, ARRIVED = "created", "closed", "handed in"


@dataclass(frozen=True)
class Change:
    """A transition.

    Attributes:
        to: The new state.
        at: When.
        reason: Why.
        actor: Who asked for it.
        split: On which split.
    """

    to: State
    at: datetime
    reason: str | None = None
    actor: str = ORGANISER
    split: SplitName = "standings"


def is_closed(db: sqlite3.Connection) -> bool:
    """Whether the round is closed."""
    return db.execute("SELECT 1 FROM audit WHERE what = ? LIMIT 1", (CLOSED,)).fetchone() is not None


def check_not_closed(db: sqlite3.Connection) -> None:
    """Check that the round is not closed.

    Raises:
        RoundError: It is.
    """
    if is_closed(db):
        why = "After closing, only the final split is scored."
        raise RoundError("The round is closed.", why=why, do="Wait for the next one.")


def arrive(db: sqlite3.Connection, arrival: Arrival, at: datetime) -> Entry:
    """Give a submission its number: one more than the last one has."""
    number = last_number(db) + 1
    db.execute(
        "INSERT INTO entries (id, team, method, version, folder_name, handed_in, state, sha256)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (number, arrival.team, *arrival.parts[1:], arrival.name, stamp(at), State.PENDING, arrival.sha256),
    )
    append(db, Event(ARRIVED, arrival.team, number, arrival.words), at)
    return find_entry(db, number)


def change(db: sqlite3.Connection, entry: Entry, step: Change) -> Entry:
    """Make a transition; return the submission as it is then.

    One that fails on the standings is not tried on the final split either.

    Raises:
        RoundError: It is not allowed.
    """
    now = entry.on(step.split)
    if now is None:
        why = "Only nominated submissions of a round that is closed are scored there."
        raise RoundError(f"Submission {entry.id} has no state on the final split.", why=why, do="Nominate it.")
    check_move(entry.id, now, step.to)
    state, reason = _COLUMNS[step.split]
    db.execute(f"UPDATE entries SET {state} = ?, {reason} = ? WHERE id = ?", (step.to, step.reason, entry.id))  # noqa: S608
    append(db, Event(f"{step.split} {step.to}", step.actor, entry.id, step.reason), step.at)
    if (step.split, step.to, entry.final_state) == ("standings", State.FAILED, State.CHECKED):
        # It would wait for ever, and the results of all others with it.
        return change(db, entry, replace(step, split="final"))
    return find_entry(db, entry.id)


def withdraw(db: sqlite3.Connection, entry: Entry, step: Change) -> Entry:
    """Take a submission back, on both splits, and its nomination with it.

    Raises:
        RoundError: It is withdrawn already.
    """
    entry = change(db, entry, replace(step, split="standings"))
    if entry.nominated:
        _nominate(db, entry, step.actor, step.at, wanted=False)
    if entry.final_state not in (None, State.WITHDRAWN):
        change(db, entry, Change(step.to, step.at, step.reason, step.actor, "final"))
    return find_entry(db, entry.id)


def nominate(db: sqlite3.Connection, entry: Entry, at: datetime) -> Entry:
    """Have a submission scored on the final split; others of the team in one of its tracks no longer are.

    Raises:
        RoundError: It cannot be scored.
    """
    if entry.state not in ALIVE:
        why = f"It is {entry.state}."
        raise RoundError(f"Submission {entry.id} cannot be nominated.", why=why, do="Nominate one that is valid.")
    for other in all_entries(db, entry.team):
        if other.nominated and other.id != entry.id and set(other.tracks) & set(entry.tracks):
            _nominate(db, other, entry.team, at, wanted=False)
    if not entry.nominated:
        _nominate(db, entry, entry.team, at, wanted=True)
    return find_entry(db, entry.id)


def waiting(db: sqlite3.Connection, split: SplitName) -> list[Entry]:
    """Submissions that wait to be scored on a split, in order of arrival.

    Raises:
        RoundError: It is the final split, and the round is not closed.
    """
    if split == "final" and not is_closed(db):
        why = "The final split is scored once, after closing."
        raise RoundError("The round is not closed.", why=why, do="Close it with mibench shared-task close.")
    found = [entry for entry in all_entries(db) if entry.on(split) is State.CHECKED]
    # What cannot be scored on the one split, or was taken back, is not tried on the other.
    return [entry for entry in found if entry.state in ALIVE]


def _nominate(db: sqlite3.Connection, entry: Entry, actor: str, at: datetime, *, wanted: bool) -> None:
    db.execute("UPDATE entries SET nominated = ? WHERE id = ?", (wanted, entry.id))
    append(db, Event(NOMINATED if wanted else NOT_NOMINATED, actor, entry.id), at)


def close(db: sqlite3.Connection, at: datetime, reason: str | None) -> None:
    """Close the round: nominated submissions that can be scored wait for the final split from now on."""
    append(db, Event(CLOSED, reason=reason), at)
    for entry in all_entries(db):
        if entry.nominated and entry.state in ALIVE:
            db.execute("UPDATE entries SET final_state = ? WHERE id = ?", (State.CHECKED, entry.id))
            append(db, Event(f"final {State.CHECKED}", entry=entry.id), at)
