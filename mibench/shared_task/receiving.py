"""Take in what a team hands in: only plain files with plain names, within the round's limits, are ever copied."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import DataError, RoundError, StoreError, UsageError
from mibench.core.files import flush_folder, is_folder
from mibench.core.hashing import digest, file_digest
from mibench.intake.archive import unpacked
from mibench.intake.failures import Failure, Findings
from mibench.intake.members import is_archive
from mibench.intake.names import parse_folder_name
from mibench.intake.rules import Rules
from mibench.intake.tree import listed
from mibench.shared_task.folder import private_folder

_CHUNK = 2**20
_NO_PARTS = ("", "", "")


@dataclass(frozen=True)
class Received:
    """What was taken in.

    Attributes:
        name: Name of the submission; empty: nothing was kept of it.
        parts: Team, method and version in it.
        sha256: Digest of the files' paths and contents.
        failures: Why nothing was kept.
    """

    name: str = ""
    parts: tuple[str, str, str] = _NO_PARTS
    sha256: str = ""
    failures: tuple[Failure, ...] = ()


def receive(source: Path, into: Path, team: str, rules: Rules) -> Received:
    """Copy a submission's folder, or the one in an archive, to a folder of the same name in ``into``.

    Everything is listed and held against the limits before anything is copied; no link is followed.

    Raises:
        UsageError: There is no folder and no archive.
        RoundError: Its name is of another team.
        StoreError: It cannot be written.
    """
    findings = Findings()
    if source.is_symlink():
        do = "Give the folder or archive itself."
        raise UsageError(f"{str(source)[:200]} cannot be handed in.", why="It is a link.", do=do)
    if is_folder(source):
        return _copied(source.absolute(), into, team, rules, findings)
    if not is_archive(source):
        why = "It is no folder, and no .zip, .tar or .tar.gz."
        raise UsageError(f"{str(source)[:200]} cannot be handed in.", why=why, do="Give the submission's folder.")
    with unpacked(source, rules, findings) as inside:
        if inside is None:
            return Received(failures=findings.all())
        return _copied(inside, into, team, rules, findings)


def _copied(source: Path, into: Path, team: str, rules: Rules, findings: Findings) -> Received:
    files = listed(source, rules, findings)
    parts = _parts(source.name, team, findings)
    if not findings.failures:
        try:
            for path, size in sorted(files.items()):
                _copy(source, path, size, into / source.name)
        except DataError as error:
            findings.add(Failure.of(error))
    if findings.failures:
        shutil.rmtree(into / source.name, ignore_errors=True)
        return Received(failures=findings.all())
    copy = private_folder(into / source.name)
    for place in sorted({copy, *((copy / path).parent for path in files)}):
        flush_folder(place)
    digests = {path: file_digest(copy / path) for path in sorted(files)}
    return Received(source.name, parts, digest(digests))


def _parts(name: str, team: str, findings: Findings) -> tuple[str, str, str]:
    try:
        parts = parse_folder_name(name)
    except DataError as error:
        findings.add(Failure.of(error))
        return _NO_PARTS
    if parts[0] != team:
        why = f"The key is of the team {team}, the name says {parts[0]}."
        raise RoundError(f"{name} cannot be handed in.", why=why, do="Use your own team's name and key.")
    return parts


def _copy(source: Path, path: str, size: int, target: Path) -> None:
    """Copy a file that was listed with ``size`` bytes.

    Raises:
        DataError: It is not what was listed.
        StoreError: The copy cannot be written.
    """
    with ExitStack() as stack:
        handle = _opened(source, path, stack)
        if os.fstat(handle).st_size != size:
            raise _changed(path)
        try:
            _write(handle, size, target, path)
        except OSError as error:
            why, do = f"{error.strerror or error}.", "Free space, and hand it in again."
            raise StoreError("The submission could not be kept.", why=why, do=do) from error


def _opened(source: Path, path: str, stack: ExitStack) -> int:
    """Open a plain file below ``source`` without following a link anywhere below it."""
    parts = path.split("/")
    try:
        handle = _until(stack, os.open(source, os.O_RDONLY | os.O_DIRECTORY))
        for part in parts[:-1]:
            handle = _until(stack, os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle))
        handle = _until(stack, os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle))
    except OSError as error:
        raise DataError(f"{path} cannot be read.", why=f"{error.strerror or error}.", do="Check its rights.") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise _changed(path)
    return handle


def _until(stack: ExitStack, handle: int) -> int:
    stack.callback(os.close, handle)
    return handle


def _changed(path: str) -> DataError:
    why = "It changed while it was handed in."
    return DataError(f"{path} is not the file that was listed.", why=why, do="Hand it in when nothing writes there.")


def _write(handle: int, size: int, target: Path, path: str) -> None:
    place = private_folder(target)
    for part in path.split("/")[:-1]:
        place = private_folder(place / part)
    own = os.open(target / path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(own, "wb") as stream:
        left = size
        while left and (chunk := os.read(handle, min(left, _CHUNK))):
            stream.write(chunk)
            left -= len(chunk)
        if left:
            raise _changed(path)
        stream.flush()
        os.fsync(stream.fileno())
