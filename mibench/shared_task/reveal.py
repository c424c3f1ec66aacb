"""Commit and reveal: publish the private splits with their salt, and hold them against what was published before."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import DataError, MibenchError, StoreError, UsageError
from mibench.core.files import atomic_write, is_folder, read_text
from mibench.intake.round import SPLITS, Round, SplitName, read_round
from mibench.shared_task.draft import SALT_BYTES
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.opening import read_salt
from mibench.tasks.private.commit import check_commitment, file_digests

REVEAL = "reveal"
SALT = "salt"
DIGESTS = "digests.json"
_MAX_SALT_BYTES = 4096


@dataclass(frozen=True)
class Verified:
    """Whether a revealed split is what was committed to.

    Attributes:
        split: Its name.
        commitment: What was published before.
        fault: Why it is not; empty: it is.
    """

    split: SplitName
    commitment: str
    fault: str = ""


def write_reveal(folder: RoundFolder, rules: Round) -> Path:
    """Publish the private splits and their salt, once they are seen to be what was committed to.

    Raises:
        DataError: They are not: something has changed in ``private`` since the round was opened.
        StoreError: They cannot be written.
    """
    salt, target = read_salt(folder), folder.public / REVEAL
    for name in SPLITS:
        check_commitment(folder.split(name), salt, rules.commitments[name])
    for left in folder.public.glob(f".{REVEAL}-*"):
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    temporary = folder.public / f".{REVEAL}-{secrets.token_hex(6)}"
    digests = {
        name: {"commitment": rules.commitments[name], "files": file_digests(folder.split(name))} for name in SPLITS
    }
    try:
        for name in SPLITS:
            copy_split(folder.split(name), temporary / name)
        atomic_write(temporary / SALT, f"{salt.hex()}\n")
        atomic_write(temporary / DIGESTS, json.dumps(digests, indent=2, sort_keys=True) + "\n")
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
    except OSError as error:
        do = "Free space or correct its rights."
        raise StoreError(f"{target} could not be written.", why=f"{error.strerror or error}.", do=do) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def copy_split(source: Path, target: Path) -> None:
    """Copy the files of a split; their rights are those of any new file.

    Raises:
        OSError: They cannot be copied.
    """
    for name in file_digests(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def verify(round_file: Path, revealed: Path) -> tuple[Verified, ...]:
    """Hold revealed splits and salt against the digests of a ``round.json``.

    Args:
        round_file: The rules as they were published when the round was opened.
        revealed: Folder with ``salt``, ``standings`` and ``final``.

    Raises:
        UsageError: There is no such file or folder.
        DataError: The rules or the salt cannot be read.
    """
    rules = read_round(round_file)
    if not is_folder(revealed):
        why = "There is no such folder."
        raise UsageError(f"{str(revealed)[:200]} cannot be checked.", why=why, do="Give the folder reveal.")
    salt = _salt(revealed / SALT)
    return tuple(_verified(revealed / name, salt, name, rules.commitments[name]) for name in SPLITS)


def _salt(path: Path) -> bytes:
    do = "Take it as it was published."
    try:
        salt = bytes.fromhex(read_text(path, max_bytes=_MAX_SALT_BYTES))
    except ValueError as error:
        raise DataError(f"{path} is no salt.", why="It is not in hexadecimal.", do=do) from error
    if len(salt) < SALT_BYTES:
        raise DataError(f"{path} is no salt.", why=f"It has {len(salt)} bytes, not {SALT_BYTES}.", do=do)
    return salt


def _verified(folder: Path, salt: bytes, split: SplitName, commitment: str) -> Verified:
    try:
        check_commitment(folder, salt, commitment)
    except MibenchError as error:
        return Verified(split, commitment, f"{error.what} {error.why}")
    return Verified(split, commitment)
