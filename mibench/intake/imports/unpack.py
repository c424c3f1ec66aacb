"""Unpack an archive of foreign files: any names that stay inside, sizes as the archive says, plain files only."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from mibench.core.errors import DataError
from mibench.core.files import MIB
from mibench.intake.members import DAMAGED, damage, members_of, write_member
from mibench.intake.rules import Rules
from mibench.intake.zip_members import Member

RULES = Rules(file_bytes=2048 * MIB, total_bytes=8192 * MIB, files=20_000)
"""What a source may hold: weights are larger before they are converted, and there are more of them."""
MAX_NAME = 200
MAX_DEPTH = 12
_DO = "Unpack it yourself, look at it, and give the folder."


def name_fault(path: str) -> str | None:
    """Say why a path cannot be one of a source, written with ``/``; None: it can.

    MIB's own names have brackets and commas, so more characters are allowed than in a submission.
    """
    parts = path.split("/")
    odd = next((char for char in path if not char.isprintable() or char in "\\\ufffd"), None)
    if odd is not None:
        return f"It has the character U+{ord(odd):04X}."
    if len(parts) > MAX_DEPTH:
        return f"It is {len(parts)} folders deep; the limit is {MAX_DEPTH}."
    if any(len(part.encode()) > MAX_NAME for part in parts):
        return f"It has a name of more than {MAX_NAME} bytes."
    bad = path.startswith("/") or (len(parts[0]) > 1 and parts[0][1] == ":")
    if bad or any(part in ("", ".", "..") for part in parts):
        return "It leads out of the folder, or is not written plainly."
    return None


def unpack(path: Path, place: Path, rules: Rules = RULES) -> dict[str, str]:
    """Unpack an archive into an empty folder, once everything that it lists can be.

    Args:
        path: A .zip, .tar or .tar.gz file.
        place: The folder.
        rules: Limits.

    Returns:
        Members that were left out, with the reason: links and devices.

    Raises:
        DataError: It is damaged, too large, or a name leads elsewhere.
    """
    try:
        with members_of(path, rules) as members:
            plain = [one for one in members if stat.S_ISREG(one.mode) or stat.S_ISDIR(one.mode)]
            left_out = {one.path[:MAX_NAME]: "It is a link or device." for one in members if one not in plain}
            _check(plain, rules)
            for one in plain:
                if not write_member(one, place, rules):
                    raise _refused(f"{one.path[:MAX_NAME]} has other bytes than the archive says.")
    except DataError as error:
        raise DataError(f"{path.name} cannot be unpacked.", why=error.why, do=_DO) from error
    except DAMAGED as error:
        raise DataError(f"{path.name} cannot be unpacked.", why=damage(error), do=_DO) from error
    return left_out


def _check(members: list[Member], rules: Rules) -> None:
    for one in members:
        why = name_fault(one.path.removesuffix("/")) or one.problem or _size_fault(one, rules)
        if why:
            raise _refused(f"{one.path[:MAX_NAME]}: {why}")
    if len(members) > rules.files:
        raise _refused(f"It has {len(members)} members; the limit is {rules.files}.")
    total = sum(one.size for one in members)
    if total > rules.total_bytes:
        raise _refused(f"It unpacks to {total} bytes; the limit is {rules.total_bytes}.")
    files = [one.path for one in members if not stat.S_ISDIR(one.mode)]
    names = [name.casefold() for name in files]
    if len(set(names)) != len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise _refused(f"It has {twice[:MAX_NAME]} twice.")
    inside = next(
        (path for one in members for path in _above(one.path.rstrip("/")) if path.casefold() in set(names)), None
    )
    if inside is not None:
        raise _refused(f"{inside[:MAX_NAME]} is a file, and something is inside it.")


def _size_fault(one: Member, rules: Rules) -> str | None:
    if one.size > rules.file_bytes:
        return f"It has {one.size} bytes; the limit is {rules.file_bytes}."
    if one.size > rules.archive_ratio * max(one.packed, 1024):
        return f"It grows from {one.packed} to {one.size} bytes."
    return None


def _above(path: str) -> Iterator[str]:
    parts = path.split("/")
    yield from ("/".join(parts[:depth]) for depth in range(1, len(parts)))


def _refused(why: str) -> DataError:
    return DataError("The archive cannot be unpacked.", why=why, do=_DO)
