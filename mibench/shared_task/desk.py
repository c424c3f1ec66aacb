"""Where submissions are handed in: each is copied, numbered and checked, and none is lost where a process is killed.

A copy is made in a locked folder without a number. One transaction gives it its number and renames the folder; the
next one, after the check, says what became of it. So a kill leaves a folder without a number, which is removed, or a
submission that is pending and that nobody has locked, which is checked again.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mibench.core.errors import RoundError, StoreError
from mibench.core.files import flush_folder, is_folder
from mibench.intake.failures import Report
from mibench.intake.round import Round, read_round
from mibench.shared_task.changes import Change, arrive, change, check_not_closed
from mibench.shared_task.database import reading, writing
from mibench.shared_task.entries import Arrival, Entry, all_entries, check_free, last_number, pending_entries
from mibench.shared_task.folder import REPORT_FILE, RoundFolder
from mibench.shared_task.judging import NOT_VALID, Check, decide, run_check, verdict
from mibench.shared_task.locks import INCOMING, held, incoming
from mibench.shared_task.quota import check_quota
from mibench.shared_task.receiving import Received, receive
from mibench.shared_task.reports import write_report
from mibench.shared_task.states import State
from mibench.shared_task.teams import team_of


@dataclass(frozen=True)
class Desk:
    """Takes submissions in.

    Attributes:
        folder: The round.
        now: The clock.
    """

    folder: RoundFolder
    now: Callable[[], datetime]

    def take(self, source: Path, key: str, check: Check) -> tuple[Entry, Report]:
        """Copy a submission, give it its number, and check it; see ``RoundState.hand_in``."""
        published = read_round(self.folder.round_file)
        self.clear_up(check)
        with reading(self.folder.database) as db:
            team = _admitted(db, published, key, self.now())
        with incoming(self.folder.submissions) as place:
            received = receive(source, place, team, published.rules())
            refusal = _refusal(source, received, check)
            if refusal is not None:
                write_report(refusal, place / REPORT_FILE)
            flush_folder(place)
            entry = self._arrive(place, received, key, published)
            # The lock of the folder lasts until here: nobody else takes the submission for one that was left.
            return (entry, refusal) if refusal is not None else self._judge(entry, check, published)

    def _arrive(self, place: Path, received: Received, key: str, published: Round) -> Entry:
        with writing(self.folder.database) as db:
            at = self.now()
            team = _admitted(db, published, key, at)
            if received.name:
                check_free(all_entries(db, team), received.name)
            self._clear_numbers(db)
            entry = arrive(db, Arrival(team, received.name, received.parts, received.sha256), at)
            if not received.name:
                entry = change(db, entry, Change(State.FAILED, at, NOT_VALID))
            _rename(place, self.folder.submission(entry.id))
        return entry

    def _judge(self, entry: Entry, check: Check, published: Round) -> tuple[Entry, Report]:
        found = verdict(check, self.folder.submission(entry.id) / entry.folder_name)
        with writing(self.folder.database) as db:
            entry, report = decide(db, entry, found, self.now(), published.limits.valid_per_week)
            write_report(report, self.folder.report(entry.id))
        return entry, report

    def clear_up(self, check: Check | None = None) -> list[Entry]:
        """Remove copies that killed processes left without a number, and check what they left pending.

        Args:
            check: Checks a folder; None: what is pending stays so.

        Returns:
            Submissions that were checked.
        """
        for place in self.folder.submissions.glob(f"{INCOMING}*"):
            with held(place) as is_held:
                if is_held:
                    shutil.rmtree(place, ignore_errors=True)
        with reading(self.folder.database) as db:
            pending, last = pending_entries(db), last_number(db)
        if self._without_row(last):
            with writing(self.folder.database) as db:
                self._clear_numbers(db)
        return [] if check is None else [one for entry in pending for one in self._judged_again(entry, check)]

    def _judged_again(self, entry: Entry, check: Check) -> list[Entry]:
        place, published = self.folder.submission(entry.id), read_round(self.folder.round_file)
        if not is_folder(place):
            return [self._judge(entry, check, published)[0]]
        with held(place) as is_held:
            if not is_held:
                return []
            for part in place.glob(f".{REPORT_FILE}.*"):
                part.unlink(missing_ok=True)
            return [self._judge(entry, check, published)[0]]

    def _without_row(self, last: int) -> list[Path]:
        """Folders with a number above that of the last submission."""
        numbered = [path for path in self.folder.submissions.glob("[0-9]*") if path.name.isdecimal()]
        return [path for path in numbered if int(path.name) > last]

    def _clear_numbers(self, db: sqlite3.Connection) -> None:
        """Remove folders with a number that no submission has; in a transaction, since nobody numbers one beside it."""
        for path in self._without_row(last_number(db)):
            _check_never_numbered(path)
            shutil.rmtree(path, ignore_errors=True)


def _check_never_numbered(path: Path) -> None:
    """Check that a kill left a folder: one with a copy and a report was in the database, which must be an old one.

    Raises:
        StoreError: It was.
    """
    if (path / REPORT_FILE).exists() and any(one.is_dir() for one in path.iterdir()):
        why = f"Submission {int(path.name)} was checked, and the database does not know it."
        do = "Put the newest copy of state.sqlite back; nothing was removed."
        raise StoreError("The database is older than the submissions beside it.", why=why, do=do)


def _admitted(db: sqlite3.Connection, published: Round, key: str, at: datetime) -> str:
    """The team of a key, if it may hand in now."""
    team = team_of(db, key)
    check_not_closed(db)
    what, do = "Nothing is taken in now.", "Look at the dates in round.json."
    if at < published.opens:
        raise RoundError(what, why=f"The round opens at {published.opens.isoformat()}.", do=do)
    if published.is_over(at):
        raise RoundError(what, why=f"The deadline was {published.deadline.isoformat()}.", do=do)
    times = [one.handed_in for one in all_entries(db, team) if one.counts]
    check_quota(times, at, published.limits.valid_per_week)
    return team


def _refusal(source: Path, received: Received, check: Check) -> Report | None:
    """What is wrong with something of which nothing was kept, as far as its check can say; None: it was kept."""
    if received.name:
        return None
    report = run_check(check, source)
    return report if not report.passed else Report(report.name, received.failures)


def _rename(place: Path, target: Path) -> None:
    try:
        place.rename(target)
    except OSError as error:
        why, do = f"{error.strerror or error}.", "Check the disk and the rights of the round's folder."
        raise StoreError(f"{target} cannot be made.", why=why, do=do) from error
    flush_folder(target.parent)
