"""Members of archives: opened by what the name says, and written no longer than the archive's list says."""

from __future__ import annotations

import stat
import tarfile
import zipfile
import zlib
from contextlib import AbstractContextManager
from pathlib import Path

from mibench.core.files import is_file
from mibench.intake.rules import Rules
from mibench.intake.tar_members import tar_members
from mibench.intake.zip_members import Member, zip_members

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What readers of archives raise at bytes that are no archive."""


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, as its name says."""
    return is_file(path) and path.name.lower().endswith(SUFFIXES)


def members_of(path: Path, rules: Rules) -> AbstractContextManager[list[Member]]:
    """Open an archive, and give the list of its members.

    Raises:
        DataError: It is beyond what ``rules`` allow; a damaged one raises one of `DAMAGED`.
    """
    return (zip_members if path.name.lower().endswith(".zip") else tar_members)(path, rules)


def damage(error: Exception) -> str:
    """What one of `DAMAGED` says, as a sentence."""
    return f"{' '.join(str(error).split())[:300] or type(error).__name__}."


def write_member(member: Member, place: Path, rules: Rules) -> bool:
    """Write a member below ``place``; False: it is longer or shorter than the list says."""
    target = place.joinpath(*member.path.rstrip("/").split("/"))
    if stat.S_ISDIR(member.mode):
        target.mkdir(parents=True, exist_ok=True)
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with target.open("xb") as stream:
        for chunk in member.chunks():
            written += len(chunk)
            if written > min(member.size, rules.file_bytes):
                break
            stream.write(chunk)
    return written == member.size
