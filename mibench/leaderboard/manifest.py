"""`build.json`: what a build wrote to a folder, so that the next one knows its own files and what pictures show."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mibench.core.files import atomic_write, read_text
from mibench.core.version import BOARD

FILE = "build.json"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """What is in a folder.

    Attributes:
        outputs: Files, relative to the folder.
        pictures: Of those that are pictures, the digest of what they show: their bytes depend on matplotlib's version.
    """

    outputs: frozenset[str] = frozenset()
    pictures: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, ours: re.Pattern[str]) -> Manifest:
        """Return what an earlier build wrote down; names that no build gives are ignored, and so is what is broken.

        Args:
            folder: The folder.
            ours: Every name that a build may give.
        """
        path = folder / FILE
        try:
            told = json.loads(read_text(path)) if path.is_file() else None
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            return cls()
        names, pictures = told.get("outputs"), told.get("pictures")
        listed = names if isinstance(names, list) else []
        digests = pictures if isinstance(pictures, dict) else {}
        outputs = frozenset(name for name in listed if isinstance(name, str) and ours.fullmatch(name))
        return cls(outputs, {name: str(one) for name, one in digests.items() if name in outputs and _is_digest(one)})

    def write(self, folder: Path) -> None:
        """Write it to the folder.

        Raises:
            StoreError: It cannot be written.
        """
        told: dict[str, Any] = {"made_by": "mibench leaderboard build", "version": BOARD}
        told |= {"outputs": sorted(self.outputs), "pictures": dict(sorted(self.pictures.items()))}
        atomic_write(folder / FILE, f"{json.dumps(told, indent=2)}\n")


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and bool(_DIGEST.fullmatch(value))
