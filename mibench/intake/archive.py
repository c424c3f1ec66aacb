"""Archives of submissions: looked at as lists of members, and unpacked only when every member is as it should be."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mibench.core.errors import DataError
from mibench.intake.failures import Failure, Findings
from mibench.intake.members import DAMAGED, damage, members_of, write_member
from mibench.intake.names import path_fault
from mibench.intake.rules import Rules
from mibench.intake.tree import Entry, checked
from mibench.intake.zip_members import Member

_DO = "Make it with mibench submit pack."


@contextmanager
def unpacked(path: Path, rules: Rules, findings: Findings) -> Iterator[Path | None]:
    """Give the folder that an archive holds, in a place that is removed again; None: it was not unpacked.

    Args:
        path: The archive.
        rules: Limits.
        findings: Takes what is wrong with it.
    """
    with tempfile.TemporaryDirectory(prefix="mibench-") as place:
        try:
            with members_of(path, rules) as members:
                top = _checked(members, rules, findings)
                if top is not None:
                    _unpack(members, Path(place), rules)
        except DataError as error:
            findings.add(Failure.of(error, path.name))
            top = None
        except DAMAGED as error:
            findings.add(Failure("The archive is damaged.", damage(error), _DO, path.name))
            top = None
        yield None if top is None else Path(place) / top


def _checked(members: list[Member], rules: Rules, findings: Findings) -> str | None:
    """Check the list of members; return the one folder that holds them all, None where anything is wrong."""
    before = len(findings.failures) + findings.left_out
    entries = []
    for one in members:
        findings.add(*_faults(one, rules))
        entries.append(Entry(one.path.removesuffix("/"), one.size, one.mode))
    # Names are checked with the folder that holds them all; the rest as in a folder.
    inside = [(one, one.path.partition("/")[2]) for one in entries]
    checked([replace(one, path=path) for one, path in inside if path and not _name_fault(one.path)], rules, findings)
    findings.add(*_layout(entries))
    tops = {one.path.split("/")[0] for one in entries}
    if len(findings.failures) + findings.left_out > before or not tops:
        return None
    return tops.pop()


def _faults(one: Member, rules: Rules) -> Iterator[Failure]:
    shown = one.path[:200]
    why = _name_fault(one.path.removesuffix("/"))
    if why:
        yield Failure(f"The archive's member '{shown}' cannot be unpacked.", why, _DO, shown)
    if one.size > rules.archive_ratio * max(one.packed, 1024):
        what = f"{shown} grows from {one.packed} to {one.size} bytes."
        yield Failure(what, f"The limit is {rules.archive_ratio} bytes for one packed.", _DO, shown)
    if one.problem:
        yield Failure(f"{shown} cannot be read.", one.problem, _DO, shown)


def _name_fault(path: str) -> str | None:
    """As ``path_fault``, but the folder that holds all may have the ``@`` of a submission's name."""
    top, slash, rest = path.partition("/")
    return path_fault(top.replace("@", "-", 1) + slash + rest)


def _layout(entries: list[Entry]) -> Iterator[Failure]:
    """One folder, no member twice, none inside a file."""
    paths = [one.path for one in entries]
    tops = sorted({path.split("/")[0] for path in paths})
    loose = [one.path for one in entries if "/" not in one.path and not stat.S_ISDIR(one.mode)]
    if len(tops) != 1 or loose:
        shown = ", ".join(top[:60] for top in (loose or tops)[:5]) or "nothing"
        yield Failure("The archive does not hold one folder.", f"At its top there is {shown}.", _DO)
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            what = f"The archive has {path[:200]} twice."
            yield Failure(what, "Which of them counts depends on who unpacks it.", _DO, path[:200])
        seen.add(path)
    files = {one.path for one in entries if not stat.S_ISDIR(one.mode)}
    for path in paths:
        above = next((part for part in _parents(path) if part in files), None)
        if above is not None:
            yield Failure(f"The archive has {path[:200]} inside a file.", f"{above[:200]} is a file.", _DO, path[:200])


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    for depth in range(1, min(len(parts), 20) + 1):
        yield "/".join(parts[:depth])


def _unpack(members: list[Member], place: Path, rules: Rules) -> None:
    """Write checked members below ``place``, each no longer than its list says.

    Raises:
        DataError: A member is longer or shorter.
    """
    for one in members:
        if not write_member(one, place, rules):
            what, why = f"{one.path[:200]} has other bytes than the archive says.", f"It says {one.size}."
            raise DataError(what, why=why, do=_DO)
