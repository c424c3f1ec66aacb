"""Where everything of a shared task lies on the organiser's machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import StoreError
from mibench.intake.round import ROUND_FILE, SplitName

RULES_FILE = "round.yaml"
REPORT_FILE = "report.json"
_OWNER_ONLY = 0o700


@dataclass(frozen=True)
class RoundFolder:
    """The organiser's folder of one round.

    Attributes:
        path: The folder.
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))

    @property
    def rules_file(self) -> Path:
        """The rules as the organiser writes them."""
        return self.path / RULES_FILE

    @property
    def round_file(self) -> Path:
        """The rules as they are published."""
        return self.path / ROUND_FILE

    @property
    def database(self) -> Path:
        """Teams, submissions and the audit log."""
        return self.path / "state.sqlite"

    @property
    def private(self) -> Path:
        """What nobody but the organiser reads."""
        return self.path / "private"

    @property
    def salt_file(self) -> Path:
        """The secret that private splits are drawn with."""
        return self.private / "salt"

    def split(self, name: SplitName) -> Path:
        """The private rows of a split."""
        return self.private / name

    @property
    def submissions(self) -> Path:
        """Copies of what was handed in, each in a folder of its number."""
        return self.path / "submissions"

    def submission(self, number: int) -> Path:
        """The folder of a submission: its copy under its own name, and what its check found."""
        return self.submissions / f"{number:06d}"

    def report(self, number: int) -> Path:
        """What the check of a submission found."""
        return self.submission(number) / REPORT_FILE

    @property
    def spool(self) -> Path:
        """Jobs for workers."""
        return self.path / "spool"

    def records(self, name: SplitName) -> Path:
        """Records of a split, with the names of rows hidden."""
        return self.path / "records" / name

    @property
    def public(self) -> Path:
        """What is published."""
        return self.path / "public"

    @property
    def archive(self) -> Path:
        """What is kept of a round that is closed."""
        return self.path / "archive"


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner reads, where it is not there; return it.

    Raises:
        StoreError: It cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            path.chmod(_OWNER_ONLY)
        else:
            path.mkdir(mode=_OWNER_ONLY, exist_ok=True)
    except OSError as error:
        why, do = f"{error.strerror or error}.", "Choose another folder, or correct its rights."
        raise StoreError(f"{path} cannot be made.", why=why, do=do) from error
    return path
