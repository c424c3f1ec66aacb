"""Private test data in the place of the public ones: off unless an organiser's process asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from mibench.core.errors import DataError, UsageError
from mibench.core.files import is_file, is_folder
from mibench.core.shipped import DIGESTS_FILE, checked_file

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_in_use: Path | None = None
_forget: list[Callable[[], None]] = []


def use_overlay(folder: Path | None) -> None:
    """Read every test split from ``folder`` from now on, in this process; None: the public ones again.

    Train and validation stay the public ones. The folder has the layout of ``data/``: ``<data set>/test.jsonl``,
    ``mib/<set>/test.jsonl``, ``corpora/<corpus>.jsonl`` and ``sae-probing/<source>.jsonl``, each beside a
    ``digests.json``. What was read before is forgotten.

    Raises:
        UsageError: There is no such folder.
    """
    global _in_use  # noqa: PLW0603  one overlay a process: tasks are found by name, from anywhere
    if folder is not None and not is_folder(folder):
        raise UsageError(f"{folder} is no private split.", why="There is no such folder.", do="Check the path.")
    _in_use = None if folder is None else folder.absolute()
    for forget in _forget:
        forget()


def overlay_in_use() -> Path | None:
    """Return the folder that test splits are read from; None: the public ones are read."""
    return _in_use


def overlay_file(*parts: str) -> Path | None:
    """Return the private file in the place of a public one, checked against its digest; None: no overlay is in use.

    Args:
        parts: Where it is in the layout of ``data/``, such as ``"ioi", "test.jsonl"``.

    Raises:
        DataError: An overlay is in use and does not have it, so that public rows would be scored as private ones; or
            it is not the file that its digest names.
    """
    if _in_use is None:
        return None
    path = _in_use.joinpath(*parts) if all(_PART.fullmatch(part) for part in parts) else None
    if path is None or not is_file(path):
        why = "A private split is in use, and it does not hold them."
        do = "Make it anew with this data, or score without it."
        raise DataError(f"There are no private data for {'/'.join(parts)[:200]}.", why=why, do=do)
    try:
        return checked_file(path.parent, path.name)
    except RecursionError as error:
        why = f"Its {DIGESTS_FILE} is nested too deep."
        raise DataError(f"{path} cannot be used.", why=why, do="Take the split as it was made.") from error


def forget_on_change(forget: Callable[[], None]) -> None:
    """Have ``forget`` called when another overlay is used: it empties a cache of rows."""
    _forget.append(forget)
