"""Close a round, and keep what it rests on: everything in one folder, listed by digest."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mibench
from mibench.core.errors import StoreError
from mibench.core.files import atomic_write, is_folder
from mibench.core.hashing import file_digest
from mibench.intake.round import SPLITS, Round, read_round
from mibench.shared_task.folder import RoundFolder, private_folder
from mibench.shared_task.opening import ORGANISER_FILE, read_salt
from mibench.shared_task.state import RoundState

MANIFEST = "manifest.json"
AUDIT = "audit.jsonl"
SALT = "private/salt"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Closed:
    """What closing a round gave.

    Attributes:
        archive: Folder of what is kept.
        files: Files in it.
        digest: Digest of its manifest, which fixes all of them.
        already: Whether the round was closed before, so that only the archive was brought up to date.
    """

    archive: Path
    files: int
    digest: str
    already: bool


def close_round(folder: RoundFolder, state: RoundState, early: str | None = None) -> Closed:
    """Close a round after its deadline and archive it; of one that is closed the archive is brought up to date.

    Args:
        folder: The organiser's folder.
        state: Its state.
        early: Why it is closed before its deadline, which the audit log keeps; None: it is not.

    Raises:
        UsageError: The round is not open, or the reason is not one line.
        RoundError: The deadline has not passed.
        StoreError: Something cannot be written.
    """
    rules, already = read_round(folder.round_file), state.closed
    if not already:
        state.close(early)
    files = _archive(folder, state, rules)
    return Closed(folder.archive, files, file_digest(folder.archive / MANIFEST), already)


def _archive(folder: RoundFolder, state: RoundState, rules: Round) -> int:
    """Write the archive in place of an older one; return how many files it lists."""
    target, salt = folder.archive, read_salt(folder)
    for left in target.parent.glob(f".{target.name}-*"):
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed; it holds the salt
    temporary = target.with_name(f".{target.name}-{secrets.token_hex(6)}")
    old = temporary.with_suffix(".old")
    try:
        private_folder(temporary)
        for source, name in _kept(folder):
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, temporary / name)
        (temporary / SALT).chmod(0o600)
        state.write_audit(temporary / AUDIT)
        files = _listed(temporary)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "round": rules.name,
            "mibench": mibench.__version__,
            "salt_sha256": hashlib.sha256(salt).hexdigest(),
            "commitments": dict(rules.commitments),
            "files": files,
        }
        atomic_write(temporary / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        if is_folder(target):
            target.rename(old)
        temporary.rename(target)
    except OSError as error:
        do = "Free space or correct its rights; what was there before is unchanged."
        raise StoreError(f"{target} could not be written.", why=f"{error.strerror or error}.", do=do) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return len(files)


def _kept(folder: RoundFolder) -> Iterator[tuple[Path, str]]:
    """Files of a round and their names in the archive; links and what is half written are none of them."""
    singles = (folder.rules_file, folder.round_file, folder.salt_file, folder.private / ORGANISER_FILE)
    places = [folder.submissions, *(folder.split(name) for name in SPLITS), *(folder.records(name) for name in SPLITS)]
    found = [*singles, *(path for place in places for path in sorted(place.rglob("*")))]
    for path in found:
        name = path.relative_to(folder.path)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not path.is_symlink() and not hidden:
            yield path, name.as_posix()


def _listed(folder: Path) -> dict[str, dict[str, object]]:
    """Digest and size of every file, by its path."""
    return {
        path.relative_to(folder).as_posix(): {"sha256": file_digest(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
