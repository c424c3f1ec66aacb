"""Where the files that come with mibench are, inside an installed package or beside it, and whether they are whole."""

from __future__ import annotations

import json
from pathlib import Path

from mibench.core.errors import DataError
from mibench.core.files import read_text
from mibench.core.hashing import file_digest

DIGESTS_FILE = "digests.json"
"""Beside shipped files: ``{"sha256": {file: digest}}``."""
REPAIR = "Install mibench again, or restore the file from the repository."
_MAX_BYTES = 64 * 1024 * 1024
_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_places(*parts: str) -> list[Path]:
    """Where a shipped file or folder can be, the installed place first; it need not be there."""
    return [_PACKAGE.joinpath(*parts), _PACKAGE.parent.joinpath(*parts)]


def shipped_digests(folder: Path) -> dict[str, str]:
    """Return the digests of a folder's shipped files, by name.

    Raises:
        DataError: They cannot be read.
    """
    path = folder / DIGESTS_FILE
    try:
        found = json.loads(read_text(path, max_bytes=_MAX_BYTES))["sha256"]
        return {str(file): str(sha) for file, sha in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} cannot be used.", why="It has no sha256 of files.", do=REPAIR) from error


def checked_file(folder: Path, file: str) -> Path:
    """Return the path of a shipped file.

    Raises:
        DataError: It is not the one that its digest names, or no digest names it.
    """
    path = folder / file
    expected = shipped_digests(folder).get(file)
    if expected is None:
        raise DataError(f"{folder / DIGESTS_FILE} cannot be used.", why=f"It has no sha256 for {file}.", do=REPAIR)
    found = file_digest(path) if path.is_file() else "no such file"
    if found != expected:
        why = f"Its sha256: {found}; {DIGESTS_FILE} says {expected}."
        raise DataError(f"{path} is not the file that was shipped.", why=why, do=REPAIR)
    return path
