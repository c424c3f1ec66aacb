"""How much a submission may hold, and how much a board asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from mibench.core.files import MIB
from mibench.core.specs import Track


@dataclass(frozen=True)
class Coverage:
    """What a board asks of a submission: in each of its tracks, so many different tasks and models.

    Attributes:
        tasks: Tasks, at least.
        models: Models, at least.
        tracks: Tracks of the board; others are not looked at.
    """

    tasks: int
    models: int
    tracks: frozenset[Track] = frozenset(Track)


BOARDS = MappingProxyType({"mib": Coverage(2, 2, frozenset({Track.CIRCUIT, Track.VARIABLE}))})
"""Boards that ask for more than one cell."""


@dataclass(frozen=True)
class Rules:
    """Limits of a submission.

    Attributes:
        file_bytes: Of one file.
        total_bytes: Of all files.
        files: How many files.
        manifest_bytes: Of submission.yaml, and of each document.
        archive_ratio: Bytes that a member of an archive may grow to, for each packed one.
        hub_bytes: Of all files on the hub that it names.
        coverage: Asked for whatever boards the manifest names; None: nothing.
        code: Whether methods may be handed in, as Python files that are run in a sandbox.
    """

    file_bytes: int = 50 * MIB
    total_bytes: int = 200 * MIB
    files: int = 1000
    manifest_bytes: int = MIB // 4
    archive_ratio: int = 200
    hub_bytes: int = 20 * 1024 * MIB
    coverage: Coverage | None = field(default=None)
    code: bool = False
