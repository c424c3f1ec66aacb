"""Names in submissions: plain ASCII, the same on every file system, and unlike each other to the eye."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mibench.core.errors import DataError

MAX_NAME = 64
MAX_PATH = 200
MAX_DEPTH = 6
NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$"
_FOLDER = re.compile(r"(?P<team>[^_@]+)__(?P<method>[^_@]+)@(?P<version>[^_@]+)")
_DRIVE = re.compile(r"[A-Za-z]:")
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
)
"""Names that Windows keeps for devices, with any ending."""


def name_fault(text: str, *, of_file: bool = False) -> str | None:
    """Say why ``text`` cannot be a name of a team, method or version; None: it can.

    Args:
        text: The name.
        of_file: It is a name of a file or folder inside the submission, which may have ``_`` and be longer.
    """
    if not text:
        return "It is empty."
    if len(text) > (MAX_PATH if of_file else MAX_NAME):
        return f"It has {len(text)} characters; the limit is {MAX_PATH if of_file else MAX_NAME}."
    odd = next((char for char in text if char not in _ALLOWED and not (of_file and char == "_")), None)
    if odd is not None:
        shown = f"'{odd}' (U+{ord(odd):04X})" if odd.isprintable() else f"the character U+{ord(odd):04X}"
        return f"It has {shown}; only ASCII letters, digits, - and .{', and _' if of_file else ''} are allowed."
    if text[0] in ".-" or text[-1] in ".-" or ".." in text:
        return "It begins or ends with . or -, or has two dots together."
    stem = text.partition(".")[0]
    return f"Some systems keep the name '{stem}' for a device." if stem.casefold() in _DEVICES else None


def path_fault(path: str) -> str | None:
    """Say why ``path`` cannot be a file inside a submission, written with ``/``; None: it can."""
    parts = path.split("/")
    faults = {
        "It has a null character.": "\0" in path,
        "It has a backslash; folders are written with /.": "\\" in path,
        "It is an absolute path.": path.startswith("/") or _DRIVE.match(path),
        "It leads out of the folder (..).": ".." in parts,
        f"It has {len(path)} characters; the limit is {MAX_PATH}.": len(path) > MAX_PATH,
        f"It is {len(parts)} folders deep; the limit is {MAX_DEPTH}.": len(parts) > MAX_DEPTH,
    }
    whole = next((why for why, is_so in faults.items() if is_so), None)
    return whole or next((f"'{part[:80]}': {why}" for part in parts if (why := name_fault(part, of_file=True))), None)


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different names that some file systems take for one: they differ in upper and lower case only."""
    first: dict[str, str] = {}
    found = []
    for name in names:
        other = first.setdefault(name.casefold(), name)
        if other != name:
            found.append((other, name))
    return found


def folder_name(team: str, method: str, version: str) -> str:
    """The name of a submission's folder: ``team__method@version``."""
    return f"{team}__{method}@{version}"


def parse_folder_name(name: str) -> tuple[str, str, str]:
    """Read team, method and version from the name of a submission's folder.

    Raises:
        DataError: It is not written so.
    """
    found = _FOLDER.fullmatch(name)
    faults = [why for part in (found.groups() if found else ()) if (why := name_fault(part))]
    if found is None or faults:
        raise DataError(
            f"'{name[:MAX_PATH]}' cannot be the name of a submission.",
            why=faults[0] if faults else "It is not written TEAM__METHOD@VERSION.",
            do="Name the folder after the manifest, such as my-team__my-method@1.",
        )
    return found["team"], found["method"], found["version"]
