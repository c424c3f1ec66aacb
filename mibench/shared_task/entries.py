"""Submissions of a round, as its database has them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mibench.core.errors import RoundError
from mibench.core.specs import Track
from mibench.intake.round import SplitName
from mibench.shared_task.states import State


@dataclass(frozen=True)
class Entry:
    """A submission of a round.

    Attributes:
        id: Its number, from 1, in order of arrival.
        team: Team whose key it came with.
        method: Name of the method; empty where what was handed in had no name that can be used.
        version: Its version, likewise.
        folder_name: ``team__method@version``, likewise.
        handed_in: When, UTC.
        state: Where it stands on the split of the standings.
        reason: Why it failed or was given back or withdrawn.
        final_state: Where it stands on the final split; None: it is not scored there.
        nominated: Whether its team wants it scored there.
        sha256: Digest of its files' paths and contents; empty where nothing of it was kept.
        tracks: Tracks of its artifacts; none before it was checked.
        final_reason: As ``reason``, of ``final_state``.
        supersedes: The older submission that it takes the place of.
        valid: Whether its check passed, whatever came after.
        scored: Whether it ever had scores.
        begun: Whether its scoring ever began, so that records may have its name.
    """

    id: int
    team: str
    method: str
    version: str
    folder_name: str
    handed_in: datetime
    state: State
    reason: str | None
    final_state: State | None
    nominated: bool
    sha256: str
    tracks: tuple[Track, ...]
    final_reason: str | None = None
    supersedes: int | None = None
    valid: bool = False
    scored: bool = False
    begun: bool = False

    @property
    def counts(self) -> bool:
        """Whether it counts for its team's quota: what was withdrawn before its scoring began does not."""
        return self.valid and (self.state is not State.WITHDRAWN or self.begun)

    @property
    def holds_its_name(self) -> bool:
        """Whether no other submission may have its name: not where it never was valid, or was withdrawn unscored.

        Records are told apart by the name, so that one whose scoring began keeps it for good.
        """
        return self.begun or (self.state is not State.WITHDRAWN and (self.state is not State.FAILED or self.valid))

    def on(self, split: SplitName) -> State | None:
        """Its state on a split."""
        return self.state if split == "standings" else self.final_state


@dataclass(frozen=True)
class Arrival:
    """What is known of a submission when it arrives.

    Attributes:
        team: Team whose key it came with.
        name: Name of its folder, or empty.
        parts: Team, method and version of the name, or three empty texts.
        sha256: Digest of its files, or empty.
    """

    team: str
    name: str
    parts: tuple[str, str, str]
    sha256: str

    @property
    def words(self) -> str:
        """How the audit log has it."""
        return arrival_words(self.name, self.sha256)


def arrival_words(name: str, sha256: str) -> str:
    """What the audit log says of a submission that arrives: its name and its digest."""
    return f"{name or 'no usable name'}, {f'sha256 {sha256}' if sha256 else 'nothing kept'}"


_SELECT = """SELECT entries.*,
    EXISTS (SELECT 1 FROM audit WHERE entry = entries.id AND what = 'standings CHECKED') AS valid,
    EXISTS (SELECT 1 FROM audit WHERE entry = entries.id AND what = 'standings SCORED') AS scored,
    EXISTS (SELECT 1 FROM audit WHERE entry = entries.id AND what = 'standings RUNNING') AS begun
    FROM entries"""


def all_entries(db: sqlite3.Connection, team: str | None = None) -> list[Entry]:
    """All submissions, or all of a team, in order of arrival."""
    which, values = (" WHERE team = ?", (team,)) if team is not None else ("", ())
    return [_entry(row) for row in db.execute(f"{_SELECT}{which} ORDER BY id", values)]


def find_entry(db: sqlite3.Connection, number: int) -> Entry:
    """The submission of a number.

    Raises:
        RoundError: There is none.
    """
    row = db.execute(f"{_SELECT} WHERE id = ?", (number,)).fetchone() if abs(number) < 2**63 else None
    if row is None:
        why = "Nothing has this number."
        raise RoundError(f"There is no submission {number}.", why=why, do="See mibench shared-task status.")
    return _entry(row)


def pending_entries(db: sqlite3.Connection) -> list[Entry]:
    """Submissions that are not checked yet, in order of arrival."""
    return [_entry(row) for row in db.execute(f"{_SELECT} WHERE state = ? ORDER BY id", (State.PENDING,))]


def last_number(db: sqlite3.Connection) -> int:
    """Number of the last submission; 0: there is none."""
    return int(db.execute("SELECT coalesce(max(id), 0) FROM entries").fetchone()[0])


def owned_entry(db: sqlite3.Connection, number: int, team: str) -> Entry:
    """The submission of a number, which has to be a team's own.

    Raises:
        RoundError: It is not.
    """
    entry = find_entry(db, number)
    if entry.team != team:
        why = "It was handed in with another team's key."
        raise RoundError(f"Submission {number} is not of the team {team}.", why=why, do="Check the number.")
    return entry


def check_free(entries: list[Entry], name: str) -> None:
    """Check that no submission has a name, upper and lower case being the same.

    Raises:
        RoundError: One has.
    """
    other = next((one for one in entries if one.folder_name.casefold() == name.casefold() and one.holds_its_name), None)
    if other is not None:
        raise RoundError(
            f"{name} cannot be handed in.",
            why=f"Submission {other.id} has this name and is {other.state}.",
            do="Give it another version, and name this one under supersedes"
            + ("." if other.begun else "; or withdraw the other."),
        )


def _entry(row: sqlite3.Row) -> Entry:
    values: dict[str, Any] = dict(row)
    final = values["final_state"]
    return Entry(
        **values
        | {
            "handed_in": datetime.fromisoformat(values["handed_in"]),
            "state": State(values["state"]),
            "final_state": None if final is None else State(final),
            "nominated": bool(values["nominated"]),
            "tracks": tuple(Track(name) for name in values["tracks"].split(",") if name),
            "valid": bool(values["valid"]),
            "scored": bool(values["scored"]),
            "begun": bool(values["begun"]),
        }
    )
