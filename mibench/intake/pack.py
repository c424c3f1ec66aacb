"""Pack a submission's folder into a zip file: equal folders give equal bytes, on every machine and at any time."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from pathlib import Path

from mibench.core.errors import StoreError, UsageError
from mibench.core.files import atomic_path, check_name, exists, is_folder
from mibench.intake.check import DOCUMENTS, Asked, check_submission
from mibench.intake.draft import read_draft
from mibench.intake.failures import Report
from mibench.intake.manifest import MANIFEST

_FIRST = (1980, 1, 1, 0, 0, 0)
"""The time of every member: the earliest that a zip file can have."""
_UNIX = 3
_SUFFIX = ".zip"


def pack_submission(folder: Path | str, out: Path | str, asked: Asked | None = None) -> Report:
    """Check a folder and pack it, if nothing is wrong with it.

    Members are sorted by name, stored as they are, with one time and mode; what compression would give depends on
    the machine.

    Args:
        folder: The submission.
        out: The .zip file, which must not be there.
        asked: How to check; None: by the rules.

    Returns:
        What the check found; where it did not pass, nothing was written.

    Raises:
        UsageError: There is no such folder, or something is at ``out``.
        StoreError: It cannot be written, or the folder changed meanwhile.
    """
    source, target = Path(folder), Path(out)
    _check_paths(source, target)
    report = check_submission(source, asked)
    if report.passed:
        with atomic_path(target) as temporary:
            _write(source.absolute(), temporary)
    return report


def _check_paths(source: Path, target: Path) -> None:
    if not is_folder(source):
        do = "Give the submission's folder."
        raise UsageError(f"{str(source)[:200]} cannot be packed.", why="There is no such folder.", do=do)
    check_name(target)
    if target.suffix.lower() != _SUFFIX:
        why = f"Its suffix is '{target.suffix}'."
        raise UsageError(f"{target} names no archive that is written.", why=why, do=f"Use {_SUFFIX}.")
    if exists(target):
        raise UsageError(f"{target} is not overwritten.", why="It exists.", do="Choose another name or remove it.")
    if source.resolve() in target.resolve().parents:
        do = "Choose a place outside the submission."
        raise UsageError(f"{target} is not written.", why="It would be a part of what is packed.", do=do)


def _write(folder: Path, target: Path) -> None:
    manifest = (folder / MANIFEST).read_bytes()
    draft = read_draft(manifest.decode())
    digests = {entry.file: entry.sha256 for entry in draft.entries.values() if entry.file is not None}
    digests |= {entry.file: entry.sha256 for entry in draft.methods.values()}
    documents = [name for name in DOCUMENTS if exists(folder / name)]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted([MANIFEST, *digests, *documents]):
            content = manifest if name == MANIFEST else (folder / name).read_bytes()
            if name in digests and hashlib.sha256(content).hexdigest() != digests[name]:
                why = f"{name} is no longer the file that was checked."
                raise StoreError(f"{folder} was not packed.", why=why, do="Pack it again when nothing writes there.")
            archive.writestr(_member(f"{folder.name}/{name}"), content)


def _member(path: str) -> zipfile.ZipInfo:
    one = zipfile.ZipInfo(path, _FIRST)
    one.create_system = _UNIX
    one.external_attr = (stat.S_IFREG | 0o644) << 16
    return one
