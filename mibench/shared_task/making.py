"""Make the artifacts of submissions that hold methods: in a sandbox, before scoring and apart from it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import ArtifactError, DataError, StoreError, UsageError
from mibench.core.files import atomic_write, flush_folder
from mibench.intake.check import Asked
from mibench.intake.make import Means, NotMadeError, make_submission
from mibench.intake.round import Round
from mibench.sandbox.confine import Backend
from mibench.shared_task.entries import Entry
from mibench.shared_task.folder import RoundFolder, private_folder
from mibench.shared_task.made import FACTS, MADE, Facts
from mibench.shared_task.reasons import CHANGED, reason_of_making

_MAKING = ".making-"


@dataclass(frozen=True)
class Workshop:
    """Makes artifacts of a round's methods.

    Attributes:
        folder: The round.
        rules: Its rules.
        backend: What confines the methods.
        models: Models that no list has, by name.
        threads: Threads of one operation.
        attempts: Tries that a submission has, where its methods are killed.
    """

    folder: RoundFolder
    rules: Round
    backend: Backend
    models: Mapping[str, Path]
    threads: int = 1
    attempts: int = 3

    def make(self, entry: Entry) -> tuple[str | None, str]:
        """Make the artifacts of a submission, twice; what a killed process left of them is removed first.

        Returns:
            Why there are none, in words that anyone may read (None: there are), and the details.

        Raises:
            SandboxError: Nothing can be confined.
            ModelError: A model of the round is not there.
            StoreError: They cannot be written.
        """
        for left in self.folder.submission(entry.id).glob(f"{_MAKING}*"):
            shutil.rmtree(left, ignore_errors=True)
        for attempt in range(1, self.attempts + 1):
            try:
                self._make(entry)
            except NotMadeError as error:
                if not error.was_killed or attempt == self.attempts:
                    return reason_of_making(error, self.rules.limits), f"{error}\n{error.tail}"
            except (ArtifactError, DataError, UsageError) as error:
                return CHANGED, str(error)
            else:
                break
        return None, ""

    def _make(self, entry: Entry) -> None:
        place, limits = self.folder.submission(entry.id), self.rules.limits
        work = private_folder(place / f"{_MAKING}{secrets.token_hex(6)}")
        means = Means(
            backend=self.backend,
            asked=Asked(rules=self.rules.rules(), folders=self.models, round=self.rules),
            seconds=limits.seconds,
            memory_bytes=limits.memory_bytes,
            threads=self.threads,
            dtype=self.rules.scoring.dtype,
            twice=True,
        )
        try:
            made = make_submission(place / entry.folder_name, work, means)
            facts = Facts(made_from=made.made_from, reproduced=bool(made.reproduced), backend=self.backend.name)
            atomic_write(work / FACTS, facts.model_dump_json(indent=1) + "\n")
            _rename(work, place / MADE)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _rename(work: Path, target: Path) -> None:
    try:
        flush_folder(work)
        work.rename(target)
    except OSError as error:
        why, do = f"{error.strerror or error}.", "Check the disk and the rights of the round's folder."
        raise StoreError(f"{target} cannot be made.", why=why, do=do) from error
    flush_folder(target.parent)
