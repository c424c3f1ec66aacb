"""What workers are given, one submission on one split, and what they say of it: files of JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from mibench.core.errors import StoreError, UsageError
from mibench.core.files import MIB, read_text
from mibench.core.specs import Frozen
from mibench.intake.round import Positive, SplitName

MAX_BYTES = MIB
MAX_ENTRIES = 10**6
Read = TypeVar("Read", bound=BaseModel)


class Job(Frozen):
    """A submission that is to be scored on a split."""

    entry: Annotated[int, Field(ge=1, lt=MAX_ENTRIES)]
    """Number of the submission, in order of arrival."""
    split: SplitName
    """Split that it is scored on."""
    submission: Path
    """Its folder."""
    overlay: Path
    """Folder of the private split."""
    round: Path
    """The round's published rules."""
    folders: dict[str, Path] = Field(default_factory=dict)
    """Models that are on this machine as folders, by the name that the round gives them."""
    seconds: Annotated[int, Field(ge=1)]
    """Wall-clock time that scoring may take."""
    memory_bytes: Positive
    """Resident memory, likewise."""
    file_bytes: Positive
    """What it may write."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """Threads of one operation."""
    attempt: Annotated[int, Field(ge=1, lt=1000)] = 1
    """Which try this is; the name of the job's file decides."""

    @property
    def key(self) -> str:
        """What there is one of in a queue; names sort by arrival."""
        return f"{self.entry:06d}-{self.split}"


class Verdict(Frozen):
    """How scoring ended, in the words of the worker: nothing in it comes from inside the sandbox but ``tail``."""

    status: Literal["done", "failed", "timeout", "memory", "files", "lost"]
    """Ended by itself, crashed, met a limit, or was lost with its worker time and again."""
    exit_code: int | None = None
    """Exit status of the scorer."""
    seconds: float = 0.0
    """Wall-clock time."""
    peak_bytes: int = 0
    """Highest resident memory of all its processes."""
    tail: Annotated[str, Field(max_length=20_000)] = ""
    """End of what it wrote to standard error; for the organisers alone."""
    backend: str = ""
    """What confined it."""


def read_file(path: Path, kind: type[Read]) -> Read:
    """Read a job or a verdict.

    Raises:
        StoreError: It is not there, or is none.
    """
    try:
        return kind.model_validate_json(read_text(path, max_bytes=MAX_BYTES))
    except UsageError as error:
        raise StoreError(error.what, why=error.why, do="Run the evaluation again.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}."
        raise StoreError(f"{path} is no {kind.__name__.lower()}.", why=why, do="Run the evaluation again.") from error
