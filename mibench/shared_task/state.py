"""The state of a round: who takes part, what was handed in, and where each submission stands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mibench.core.errors import RoundError, UsageError
from mibench.intake.failures import Report
from mibench.intake.round import SplitName, read_round
from mibench.shared_task import changes, teams
from mibench.shared_task.audit import AuditLine, Event, append, lines, write_lines
from mibench.shared_task.changes import CREATED, Change
from mibench.shared_task.database import creating, reading, writing
from mibench.shared_task.desk import Desk
from mibench.shared_task.entries import Entry, all_entries, find_entry, owned_entry
from mibench.shared_task.folder import RoundFolder, private_folder
from mibench.shared_task.judging import Check
from mibench.shared_task.replay import check_log
from mibench.shared_task.reports import read_report
from mibench.shared_task.states import State
from mibench.shared_task.summary import Summary, summary

_LONGEST_REASON = 500


def utc() -> datetime:
    """The time now."""
    return datetime.now(UTC)


class RoundState:
    """Everything that changes while a round runs, on the organiser's machine.

    Any number of processes may use it at once. Each change is one transaction with its line in the audit log, and what
    a process leaves that is killed is put right by the next one.

    Attributes:
        folder: Where it lies.
    """

    def __init__(self, folder: RoundFolder, now: Callable[[], datetime] = utc) -> None:
        self.folder = folder
        self._clock = now

    def create(self) -> None:
        """Make the database.

        Raises:
            RoundError: There is one.
            StoreError: It cannot be made.
        """
        private_folder(self.folder.submissions)
        with creating(self.folder.database) as db:
            append(db, Event(CREATED), self._now())

    def register(self, team: str, contact: str, *, renew: bool = False) -> str:
        """Register a team and return its key, which is kept nowhere.

        Args:
            team: Name of the team, as its submissions have it.
            contact: Where it is reached; never published.
            renew: Give a team that is registered a new key; the old one is void.

        Raises:
            UsageError: The name or the contact cannot be used.
            RoundError: The team is there (or, to renew its key, is not), or the round is closed.
        """
        with writing(self.folder.database) as db:
            changes.check_not_closed(db)
            return teams.register(db, team, contact, self._now(), renew=renew)

    def hand_in(self, source: Path, key: str, check: Check) -> tuple[Entry, Report]:
        """Take a submission in: copy it, give it its number, check it.

        Args:
            source: Its folder, or an archive of it.
            key: The team's key.
            check: Finds what is wrong with a folder or archive.

        Returns:
            The submission, CHECKED or FAILED, and what was found. Of one that cannot be copied safely, only the
            report is kept.

        Raises:
            UsageError: There is nothing of the kind.
            RoundError: The round does not take it: the time, the key, the name or the quota.
            StoreError: It cannot be written.
        """
        return Desk(self.folder, self._now).take(Path(source), key, check)

    def repair(self, check: Check | None = None) -> list[Entry]:
        """Put right what killed processes left; every ``hand_in`` does so first.

        Args:
            check: Checks submissions whose check was cut off; None: they stay pending.

        Returns:
            Submissions that were checked.
        """
        return Desk(self.folder, self._now).clear_up(check)

    def withdraw(self, number: int, key: str) -> Entry:
        """Take a submission back; unscored, it no longer counts for the quota.

        Raises:
            RoundError: It is not of the key's team, is withdrawn already, or the round is closed.
        """
        with writing(self.folder.database) as db:
            team = teams.team_of(db, key)
            changes.check_not_closed(db)
            entry = owned_entry(db, number, team)
            return changes.withdraw(db, entry, Change(State.WITHDRAWN, self._now(), actor=team))

    def nominate(self, number: int, key: str) -> Entry:
        """Have a submission scored on the final split, in place of others of the team in one of its tracks.

        Raises:
            RoundError: It is not of the key's team, cannot be scored, or the round is closed.
        """
        with writing(self.folder.database) as db:
            team = teams.team_of(db, key)
            changes.check_not_closed(db)
            return changes.nominate(db, owned_entry(db, number, team), self._now())

    def move(self, number: int, split: SplitName, to: State, reason: str | None = None) -> Entry:
        """Change the state of a submission on a split; what is pending is changed by its check alone.

        Args:
            number: The submission.
            split: The split; a withdrawal holds for both.
            to: The new state.
            reason: Why, in one line that may be published; FAILED and WITHDRAWN need it.

        Raises:
            UsageError: There is no reason, or it is not one line.
            RoundError: There is no such submission, or the change is not allowed.
        """
        _check_reason(reason, needed=to in (State.FAILED, State.WITHDRAWN))
        with writing(self.folder.database) as db:
            entry, step = find_entry(db, number), Change(to, self._now(), reason, split=split)
            if to is State.WITHDRAWN:
                return changes.withdraw(db, entry, step)
            if entry.on(split) is State.PENDING:
                why = "It was handed in, and its check has not ended."
                raise RoundError(f"Submission {number} cannot become {to}.", why=why, do="Check it (repair) first.")
            return changes.change(db, entry, step)

    def waiting(self, split: SplitName) -> list[Entry]:
        """Submissions that wait to be scored on a split, in order of arrival.

        Raises:
            RoundError: It is the final split, and the round is not closed.
        """
        with reading(self.folder.database) as db:
            return changes.waiting(db, split)

    def begin(self, split: SplitName, ready: Callable[[Entry], bool] = lambda entry: True) -> list[Entry]:  # noqa: ARG005
        """Have submissions that wait on a split RUNNING, in one step; return them in order of arrival.

        Args:
            split: The split.
            ready: Whether one can be scored now; others go on waiting.

        Raises:
            RoundError: It is the final split, and the round is not closed.
        """
        with writing(self.folder.database) as db:
            at = self._now()
            step = Change(State.RUNNING, at, split=split)
            return [changes.change(db, entry, step) for entry in changes.waiting(db, split) if ready(entry)]

    def close(self, reason: str | None = None) -> None:
        """Close the round: nothing is handed in, withdrawn or nominated any more, and nominations are final.

        Args:
            reason: Why it is closed before its deadline, in one line.

        Raises:
            RoundError: It is closed, or its deadline is to come and there is no reason.
        """
        _check_reason(reason, needed=False)
        published = read_round(self.folder.round_file)
        with writing(self.folder.database) as db:
            changes.check_not_closed(db)
            at = self._now()
            if not published.is_over(at) and reason is None:
                why = f"Its deadline is {published.deadline.isoformat()}."
                raise RoundError("The round cannot be closed yet.", why=why, do="Wait, or give a reason (--early).")
            changes.close(db, at, reason)

    @property
    def closed(self) -> bool:
        """Whether the round is closed."""
        with reading(self.folder.database) as db:
            return changes.is_closed(db)

    def entries(self, team: str | None = None) -> list[Entry]:
        """All submissions, or those of a team, in order of arrival."""
        with reading(self.folder.database) as db:
            return all_entries(db, team)

    def entry(self, number: int) -> Entry:
        """The submission of a number.

        Raises:
            RoundError: There is none.
        """
        with reading(self.folder.database) as db:
            return find_entry(db, number)

    def report(self, number: int) -> Report:
        """What the check of a submission found.

        Raises:
            UsageError: It was not checked.
        """
        return read_report(self.folder.report(number))

    def teams(self) -> list[teams.Team]:
        """All teams with their contacts: for the organiser only."""
        with reading(self.folder.database) as db:
            return teams.teams(db)

    def summary(self) -> Summary:
        """How the round stands, in numbers that everyone may see."""
        with reading(self.folder.database) as db:
            return summary(db, self._now())

    def audit(self) -> list[AuditLine]:
        """All lines of the audit log."""
        with reading(self.folder.database) as db:
            return lines(db)

    def check_audit(self) -> None:
        """Check the audit log: that it is whole, and that the state of everything follows from it.

        Raises:
            StoreError: It does not; it names the first line that does not fit.
        """
        with reading(self.folder.database) as db:
            check_log(db)

    def write_audit(self, path: Path) -> None:
        """Write the audit log, one JSON object a line; it holds nothing private.

        Raises:
            StoreError: It cannot be written.
        """
        write_lines(self.audit(), path)

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)


def _check_reason(reason: str | None, *, needed: bool) -> None:
    if reason is None and not needed:
        return
    if reason is None or not reason.strip() or not reason.isprintable() or len(reason) > _LONGEST_REASON:
        why = f"It is missing, not one line, or has more than {_LONGEST_REASON} characters."
        raise UsageError("The reason cannot be used.", why=why, do="Say why in one line; everyone may read it.")
