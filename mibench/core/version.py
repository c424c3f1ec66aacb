"""The version that code, rules and board share, and digests of code that a kept number depends on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import mibench
from mibench.core.hashing import digest, file_digest

BOARD = ".".join(mibench.__version__.split(".")[:2])
"""Major.Minor of this mibench: its rules and its leaderboard are of the same."""
_ROOT = Path(mibench.__file__).parent


@cache
def code_digest(*parts: str) -> str:
    """Return the digest of source files, by their paths below the package; of a folder, of all in it.

    Raises:
        FileNotFoundError: There is no such file.
    """
    files = []
    for place in (_ROOT / part for part in parts):
        # A file that was renamed must not drop out of the digest unseen.
        place.stat()
        files += [place] if place.is_file() else sorted(place.rglob("*.py"))
    return digest({path.relative_to(_ROOT).as_posix(): file_digest(path) for path in files})
