"""How a round stands, in numbers that everyone may see."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mibench.shared_task.audit import head
from mibench.shared_task.changes import is_closed
from mibench.shared_task.entries import Entry, all_entries
from mibench.shared_task.quota import WEEK
from mibench.shared_task.teams import teams


@dataclass(frozen=True)
class TeamSummary:
    """How a team stands.

    Attributes:
        team: Its name.
        handed_in: Submissions.
        valid: Those whose check passed.
        in_seven_days: Those that count for its quota now.
        states: How many are in each state, on the split of the standings.
        nominated: Numbers of those for the final split.
    """

    team: str
    handed_in: int
    valid: int
    in_seven_days: int
    states: Mapping[str, int]
    nominated: tuple[int, ...]


@dataclass(frozen=True)
class Summary:
    """How a round stands; nothing of it is private.

    Attributes:
        closed: Whether it is closed.
        handed_in: Submissions.
        states: How many are in each state, on the split of the standings.
        final_states: Likewise, on the final split.
        teams: Each team, by name.
        audit_head: Hash of the last line of the audit log.
    """

    closed: bool
    handed_in: int
    states: Mapping[str, int]
    final_states: Mapping[str, int]
    teams: tuple[TeamSummary, ...]
    audit_head: str


def summary(db: sqlite3.Connection, at: datetime) -> Summary:
    """Count."""
    entries = all_entries(db)
    finals = Counter(entry.final_state.value for entry in entries if entry.final_state is not None)
    return Summary(
        is_closed(db),
        len(entries),
        _states(entries),
        dict(sorted(finals.items())),
        tuple(_team(one.team, [entry for entry in entries if entry.team == one.team], at) for one in teams(db)),
        head(db),
    )


def _states(entries: list[Entry]) -> dict[str, int]:
    return dict(sorted(Counter(entry.state.value for entry in entries).items()))


def _team(name: str, entries: list[Entry], at: datetime) -> TeamSummary:
    return TeamSummary(
        name,
        len(entries),
        sum(entry.valid for entry in entries),
        sum(entry.counts and entry.handed_in > at - WEEK for entry in entries),
        _states(entries),
        tuple(entry.id for entry in entries if entry.nominated),
    )
