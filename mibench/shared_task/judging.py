"""Check what was handed in, and say whether it is taken: by its contents first, then by its team's quota."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from mibench.core.errors import MibenchError, RoundError
from mibench.core.files import read_text
from mibench.core.specs import Track
from mibench.intake.draft import read_draft
from mibench.intake.failures import Failure, Report
from mibench.intake.manifest import MANIFEST
from mibench.intake.rules import Rules
from mibench.shared_task.changes import Change, change
from mibench.shared_task.entries import Entry, all_entries, find_entry
from mibench.shared_task.quota import check_quota
from mibench.shared_task.states import State

Check = Callable[[Path], Report]
"""Finds what is wrong with a submission's folder; see ``mibench.intake.check``."""
NOT_VALID = "its check found failures"


def run_check(check: Check, path: Path) -> Report:
    """Check a folder or archive; a check that breaks off is a failure of the submission, and stops no other one."""
    try:
        return check(path)
    except MibenchError as error:
        return Report(path.name, (Failure.of(error),))
    except Exception as error:  # noqa: BLE001 - whatever a submission does to its check, the queue goes on
        why = f"The check broke off ({type(error).__name__})."
        return Report(path.name, (Failure("The submission could not be checked.", why, "Write to the organisers."),))


@dataclass(frozen=True)
class Verdict:
    """What the check of a submission found, and what its manifest says.

    Attributes:
        report: What was found.
        tracks: Tracks of its artifacts.
        supersedes: The older version that it names.
    """

    report: Report
    tracks: tuple[Track, ...] = ()
    supersedes: str | None = None


def verdict(check: Check, path: Path) -> Verdict:
    """Check a submission's folder and read its manifest."""
    report = run_check(check, path)
    if not report.passed:
        return Verdict(report)
    try:
        manifest = read_draft(read_text(path / MANIFEST, max_bytes=Rules().manifest_bytes)).submission
    except MibenchError:
        manifest = None
    return Verdict(report) if manifest is None else Verdict(report, manifest.tracks, manifest.supersedes)


def decide(db: sqlite3.Connection, entry: Entry, found: Verdict, at: datetime, limit: int) -> tuple[Entry, Report]:
    """Take a submission, or say why not; part of the transaction that no other submission is taken beside.

    Args:
        db: The transaction.
        entry: The submission; one that is no longer pending stays as it is.
        found: What its check found.
        at: When.
        limit: Valid submissions of a team in seven days.
    """
    entry = find_entry(db, entry.id)
    if entry.state is not State.PENDING:
        return entry, found.report
    report, older = found.report, None
    if report.passed:
        report, older = _related(db, entry, found)
        try:
            times = [one.handed_in for one in all_entries(db, entry.team) if one.counts]
            check_quota(times, entry.handed_in, limit)
        except RoundError as error:
            report = replace(report, failures=(Failure.of(error),))
    if not report.passed:
        return change(db, entry, Change(State.FAILED, at, NOT_VALID)), report
    tracks = ",".join(found.tracks)
    db.execute("UPDATE entries SET tracks = ?, supersedes = ? WHERE id = ?", (tracks, older, entry.id))
    return change(db, entry, Change(State.CHECKED, at)), report


def _related(db: sqlite3.Connection, entry: Entry, found: Verdict) -> tuple[Report, int | None]:
    """The number of the submission that one supersedes, of those before it; where there is none, a note says so."""
    if found.supersedes is None:
        return found.report, None
    older = [
        one.id
        for one in all_entries(db, entry.team)
        if one.id < entry.id and (one.method, one.version) == (entry.method, found.supersedes) and one.holds_its_name
    ]
    if older:
        return found.report, older[-1]
    note = f"It supersedes version {found.supersedes}, which is not in this round."
    return replace(found.report, notes=(*found.report.notes, note)), None
