"""What is wrong with a submission: every fault says what, why, what to do, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

from mibench.core.errors import MibenchError

MAX_SHOWN = 200
"""Failures that are kept; a hostile submission could have millions."""


@dataclass(frozen=True)
class Failure:
    """One fault.

    Attributes:
        what: What is wrong, one sentence.
        why: The cause.
        do: What to do about it.
        file: File of the submission that it is about; None: the submission as a whole.
        index: Place in the manifest's list of artifacts, from 0; None: no single one.
    """

    what: str
    why: str
    do: str
    file: str | None = None
    index: int | None = None

    @classmethod
    def of(cls, error: MibenchError, file: str | None = None, index: int | None = None) -> Failure:
        """The failure that an error tells of."""
        return cls(error.what, error.why, error.do, file, index)


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        name: Name of the submission, as its folder has it.
        failures: Everything that is wrong.
        notes: What is no fault, but worth knowing.
        n_files: Files, manifest included.
        n_bytes: Bytes of all files.
        n_read: Artifacts that were read.
        manifest_sha256: Digest of the manifest's bytes; None: there is none that could be read.
    """

    name: str
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    n_files: int = 0
    n_bytes: int = 0
    n_read: int = 0
    manifest_sha256: str | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failures


@dataclass
class Findings:
    """Collects failures and notes on the way; beyond some hundreds only their number."""

    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: int = 0

    def add(self, *failures: Failure) -> None:
        """Keep failures, each once."""
        for one in failures:
            if len(self.failures) >= MAX_SHOWN:
                self.left_out += 1
            elif one not in self.failures:
                self.failures.append(one)

    def all(self) -> tuple[Failure, ...]:
        """What was found, with a last word on what was left out."""
        if not self.left_out:
            return tuple(self.failures)
        more = Failure(f"There are {self.left_out} more failures.", f"{MAX_SHOWN} are shown.", "Mend these first.")
        return (*self.failures, more)
