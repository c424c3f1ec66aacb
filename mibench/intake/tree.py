"""What lies in a submission's folder; links are not followed, and nothing is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from mibench.core.errors import UsageError
from mibench.intake.failures import Failure, Findings
from mibench.intake.names import MAX_DEPTH, collisions, path_fault
from mibench.intake.rules import Rules

_MOST = 10_000
"""Entries of one folder that are looked at; a submission may have far fewer."""
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


@dataclass(frozen=True)
class Entry:
    """Something in a folder or archive.

    Attributes:
        path: Inside the submission, with ``/``.
        size: Bytes.
        mode: Type and rights, as of ``os.stat``.
    """

    path: str
    size: int
    mode: int


def listed(folder: Path, rules: Rules, findings: Findings) -> dict[str, int]:
    """Return the regular files in a folder by their paths, with their sizes; everything else is a failure.

    Raises:
        UsageError: The folder cannot be read.
    """
    entries = []
    try:
        for one in _walk(folder, folder, 1):
            entries.append(one)
            if len(entries) > 2 * rules.files:
                break
    except OSError as error:
        why = f"{error.strerror or error}."
        raise UsageError(f"{folder} cannot be read.", why=why, do="Check the path and its rights.") from error
    return checked(entries, rules, findings)


def _walk(folder: Path, top: Path, depth: int) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        entries = sorted(islice(found, _MOST), key=lambda one: one.name)
    for one in entries:
        status = one.stat(follow_symlinks=False)
        path = Path(one.path)
        is_folder = stat.S_ISDIR(status.st_mode)
        yield Entry(
            os.fsencode(path.relative_to(top).as_posix()).decode("utf-8", "replace"),
            0 if is_folder else status.st_size,
            status.st_mode,
        )
        if is_folder and depth <= MAX_DEPTH:
            yield from _walk(path, top, depth + 1)


def checked(entries: list[Entry], rules: Rules, findings: Findings) -> dict[str, int]:
    """Check names, kinds, rights and sizes of entries, and return the files that can be looked at."""
    files = {}
    for one in entries:
        faults = _faults(one, rules)
        findings.add(*faults)
        if stat.S_ISREG(one.mode) and not faults:
            files[one.path] = one.size
    findings.add(*_together(entries, rules))
    return files


def _faults(one: Entry, rules: Rules) -> list[Failure]:
    found, shown = [], one.path[:200]
    why = path_fault(one.path)
    if why:
        found.append(Failure(f"The name '{shown}' cannot be used.", why, "Rename it, or leave it out.", shown))
    if stat.S_ISDIR(one.mode):
        return found
    if not stat.S_ISREG(one.mode):
        kind = next((words for test, words in _KINDS if test(one.mode)), "a link")
        do = "Put the file itself there."
        found.append(Failure(f"{shown} is {kind}.", "A submission has plain files and folders only.", do, shown))
    elif one.mode & 0o111:
        do = f"chmod a-x {shown}"
        found.append(Failure(f"{shown} is marked as executable.", "A submission is data, never code.", do, shown))
    if one.size > rules.file_bytes:
        why = f"It has {one.size} bytes; the limit is {rules.file_bytes}."
        do = "Put it on the hub, and name repository, revision, path and sha256 under 'hub'."
        found.append(Failure(f"{shown} is too large.", why, do, shown))
    return found


def _together(entries: list[Entry], rules: Rules) -> list[Failure]:
    found = []
    for first, second in collisions(sorted({one.path for one in entries})):
        why = "They differ in upper and lower case only, and some file systems take them for one."
        found.append(Failure(f"{first[:80]} and {second[:80]} have the same name.", why, "Rename one.", second[:200]))
    if len(entries) > rules.files:
        why = f"The limit is {rules.files}."
        found.append(Failure("There are too many files.", why, "Hand in the artifacts alone."))
    total = sum(one.size for one in entries)
    if total > rules.total_bytes:
        why = f"All files together have {total} bytes; the limit is {rules.total_bytes}."
        found.append(Failure("The submission is too large.", why, "Put large artifacts on the hub (key 'hub')."))
    return found
