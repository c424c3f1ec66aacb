"""Outputs to a folder: what is unchanged stays, what is no longer made goes, what no build wrote is never replaced."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mibench.core.errors import StoreError, UsageError
from mibench.core.files import atomic_write
from mibench.leaderboard.manifest import FILE, Manifest
from mibench.leaderboard.site.picture import Picture, SiteFile


@dataclass(frozen=True)
class Folder:
    """A folder that builds write to.

    Attributes:
        path: The folder.
        ours: Every name that a build may give.
    """

    path: Path
    ours: re.Pattern[str]

    def refuse_foreign(self, outputs: Mapping[str, SiteFile]) -> None:
        """Check that no file is in the way that no build wrote, unless it is what would be written.

        Raises:
            UsageError: One is.
        """
        before = Manifest.read(self.path, self.ours)
        for name, made in outputs.items():
            path = self.path / name
            if name not in before.outputs and os.path.lexists(path) and not _same(path, made):
                raise UsageError(
                    f"{path} is in the way.",
                    why=f"It is not listed in {self.path / FILE}, so no build of the leaderboard wrote it.",
                    do="Move it away, or choose another folder with --out.",
                )

    def write(self, outputs: Mapping[str, SiteFile]) -> tuple[str, ...]:
        """Write the outputs, and return what is no longer made and was removed.

        A picture is drawn only where the digest of its data is another one, or its file is not there.

        Raises:
            StoreError: Something cannot be written.
        """
        before = Manifest.read(self.path, self.ours)
        pictures = {name: made.data_digest for name, made in outputs.items() if isinstance(made, Picture)}
        kept = {
            name: shows
            for name, shows in pictures.items()
            if before.pictures.get(name) == shows and _size(self.path / name)
        }
        # Listed before it is written, so that a build that was killed still knows its files, and redraws.
        Manifest(before.outputs | outputs.keys(), kept).write(self.path)
        for name, made in outputs.items():
            if name not in kept:
                _put(self.path / name, made)
        removed = tuple(sorted(before.outputs - outputs.keys()))
        for name in removed:
            (self.path / name).unlink(missing_ok=True)
        Manifest(frozenset(outputs), pictures).write(self.path)
        return removed

    def differences(self, outputs: Mapping[str, SiteFile]) -> list[str]:
        """Return what the folder has other than ``outputs``, one line a file.

        Pictures go by the digest of their data.
        """
        before = Manifest.read(self.path, self.ours)
        found = []
        for name, made in sorted(outputs.items()):
            path = self.path / name
            if not path.is_file():
                found.append(f"{name}: missing")
            elif isinstance(made, Picture):
                stale = before.pictures.get(name) != made.data_digest
                found += [f"{name}: shows other data than the records give"] if stale else []
            elif path.read_bytes() != made:
                found.append(f"{name}: differs from what the records give")
        gone = sorted(before.outputs - outputs.keys())
        return found + [f"{name}: no longer made" for name in gone if (self.path / name).is_file()]


def _same(path: Path, made: SiteFile) -> bool:
    return path.is_file() and path.read_bytes() == (made.draw() if isinstance(made, Picture) else made)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _put(path: Path, made: SiteFile) -> None:
    if isinstance(made, Picture):
        _put_picture(path, made.draw())
    elif not path.is_file() or path.read_bytes() != made:
        atomic_write(path, made)


def _put_picture(path: Path, data: bytes) -> None:
    """Replace a picture; it is not flushed to disk, since one that a power cut left empty is drawn again."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(f"{path} could not be written.", why=why, do="Free space or choose another folder.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
