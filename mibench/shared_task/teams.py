"""Teams and their keys: a key is shown once, and only its digest is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from mibench.core.errors import RoundError, UsageError
from mibench.intake.names import name_fault
from mibench.shared_task.audit import ORGANISER, Event, append, stamp

KEY_PREFIX = "mbk_"
REGISTERED, RENEWED = "registered", "key renewed"
_KEY_BYTES = 24
_LONGEST_CONTACT = 200


@dataclass(frozen=True)
class Team:
    """A team, as the organiser sees it.

    Attributes:
        team: Its name.
        contact: Where it is reached; never published.
        registered: When it was registered, UTC.
    """

    team: str
    contact: str
    registered: datetime


def register(db: sqlite3.Connection, team: str, contact: str, at: datetime, *, renew: bool) -> str:
    """Register a team, or give one that is registered a new key; return the key.

    Raises:
        UsageError: The name or the contact cannot be used.
        RoundError: The team is there, or, to renew its key, is not.
    """
    _check_team(team)
    _check_contact(contact)
    known = db.execute("SELECT team FROM teams WHERE team = ?", (team,)).fetchone()
    key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    if renew:
        if known is None or known["team"] != team:
            why = f"The round knows no team {team}."
            raise RoundError("There is no key to renew.", why=why, do="Check the name, or register the team.")
        db.execute("UPDATE teams SET contact = ?, key_sha256 = ? WHERE team = ?", (contact, _digest(key), team))
    else:
        if known is not None:
            why = f"The round has the team {known['team']}; names that differ in upper and lower case only are one."
            do = "Choose another name, or renew its key where it was lost."
            raise RoundError(f"The team {team} cannot be registered.", why=why, do=do)
        db.execute("INSERT INTO teams VALUES (?, ?, ?, ?)", (team, contact, _digest(key), stamp(at)))
    append(db, Event(RENEWED if renew else REGISTERED, reason=team), at)
    return key


def _check_team(team: str) -> None:
    why = name_fault(team) or ("The audit log calls the organiser so." if team.casefold() == ORGANISER else None)
    if why:
        raise UsageError(f"{team[:80]!r} cannot be the name of a team.", why=why, do="Choose another.")


def _check_contact(contact: str) -> None:
    if not contact.strip() or not contact.isprintable() or len(contact) > _LONGEST_CONTACT:
        why = f"It is empty, has characters that are not printed, or more than {_LONGEST_CONTACT}."
        raise UsageError("The contact cannot be used.", why=why, do="Give an address or a page.")


def team_of(db: sqlite3.Connection, key: str) -> str:
    """The team that a key belongs to; all keys are looked at, each in the same time.

    Raises:
        RoundError: It is no team's key.
    """
    given, found = _digest(key), None
    for row in db.execute("SELECT team, key_sha256 FROM teams ORDER BY team"):
        if hmac.compare_digest(row["key_sha256"], given):
            found = str(row["team"])
    if found is None:
        why = "No team of this round has it; a key that was renewed is void."
        raise RoundError("The key is not known.", why=why, do="Use the key that the organisers gave your team.")
    return found


def teams(db: sqlite3.Connection) -> list[Team]:
    """All teams, by name, with their contacts: for the organiser only."""
    rows = db.execute("SELECT team, contact, registered FROM teams ORDER BY team")
    return [Team(row["team"], row["contact"], datetime.fromisoformat(row["registered"])) for row in rows]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
