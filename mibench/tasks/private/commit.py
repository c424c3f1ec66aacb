"""Commit and reveal: a digest that is published before, and fixes every byte of a private split and its salt."""

from __future__ import annotations

import hmac
from pathlib import Path

from mibench.core.errors import DataError, MibenchError
from mibench.core.files import is_folder
from mibench.core.hashing import digest, file_digest
from mibench.core.shipped import DIGESTS_FILE, shipped_digests


def commitment(folder: Path, salt: bytes) -> str:
    """Return the sha256 of the canonical JSON ``{"salt": hex, "files": {relative path: sha256}}``.

    The salt keeps anyone from guessing rows until the digest fits.

    Raises:
        DataError: There is no such folder, it holds no file, or something that is neither file nor folder.
    """
    return digest({"salt": salt.hex(), "files": file_digests(folder)})


def file_digests(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file in a folder, by its path in it.

    Raises:
        DataError: There is no such folder, it holds no file, or something that is neither file nor folder.
    """
    found = {}
    for path in sorted(folder.rglob("*")) if is_folder(folder) else ():
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise _unusable(folder, f"{name} is neither a file nor a folder.")
        if path.is_file():
            found[name] = file_digest(path)
    if not found:
        raise _unusable(folder, "It holds no file.")
    return found


def check_commitment(folder: Path, salt: bytes, expected: str) -> None:
    """Check that a revealed split and salt are those that were committed to.

    Raises:
        DataError: They are not; it names the files that are not as their neighbours in the split say, or tells that
            these agree, so that the salt is another one, or files were changed together with their digests.
    """
    found = commitment(folder, salt)
    if hmac.compare_digest(found, expected):
        return
    faults = _faults(folder)
    blamed = "; ".join(faults[:20]) + (f"; and {len(faults) - 20} more" if len(faults) > 20 else "")
    why = blamed or f"All files agree with their {DIGESTS_FILE}: the salt is another one, or both were changed"
    what = f"{folder} is not what was committed to."
    raise DataError(what, why=f"{why}. It gives {found}.", do="Take split and salt as they were revealed.")


def _faults(folder: Path) -> list[str]:
    """What is not as the digests beside it say."""
    present, told = file_digests(folder), _told(folder)
    changed = [f"{name} was changed" for name in sorted(present.keys() & told) if present[name] != told[name]]
    lists = {name for name in present if Path(name).name == DIGESTS_FILE}
    added = [f"{name} is in no {DIGESTS_FILE}" for name in sorted(present.keys() - told - lists)]
    return changed + added + [f"{name} is missing" for name in sorted(told.keys() - present)]


def _told(folder: Path) -> dict[str, str]:
    """What the split's own lists say, by path; a list that cannot be read says nothing."""
    told: dict[str, str] = {}
    for path in sorted(folder.rglob(DIGESTS_FILE)):
        inner = path.parent.relative_to(folder)
        try:
            told |= {(inner / name).as_posix(): sha for name, sha in shipped_digests(path.parent).items()}
        except (MibenchError, RecursionError):
            continue
    return told


def _unusable(folder: Path, why: str) -> DataError:
    return DataError(f"{folder} is no private split.", why=why, do="Give the folder as it was made.")
