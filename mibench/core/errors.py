"""Errors that a user can act on: what happened, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterator


class MibenchError(Exception):
    """A fault with an explanation; the command line prints it without a traceback.

    Attributes:
        what: What happened, one sentence.
        why: The cause.
        do: What the user can do about it.
        exit_status: Exit status of the command line: 1 failed, 2 wrong usage.
    """

    exit_status = 1

    def __init__(self, what: str, *, why: str, do: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.do = do

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  do:  {self.do}"

    def __reduce__(self) -> tuple[object, tuple[type[MibenchError], str, str, str]]:
        return _rebuild, (type(self), self.what, self.why, self.do)


def _rebuild(kind: type[MibenchError], what: str, why: str, do: str) -> MibenchError:
    return kind(what, why=why, do=do)


class UsageError(MibenchError):
    """A wrong command: unknown name, missing file, flags that contradict each other."""

    exit_status = 2


class DataError(MibenchError):
    """A data or pairs file says something that cannot be used."""


class ArtifactError(MibenchError):
    """An artifact (circuit scores, featurizers, dictionary) is not usable."""


class ModelError(MibenchError):
    """A model cannot be loaded, or it does not pass its self-check."""


class MethodError(MibenchError):
    """A method failed, or handed back something that is not an artifact."""


class StoreError(MibenchError):
    """Records or tables cannot be read or written."""


class SandboxError(MibenchError):
    """There is no sandbox here, or it does not hold."""


class RoundError(MibenchError):
    """A shared task does not allow what was asked of it."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
