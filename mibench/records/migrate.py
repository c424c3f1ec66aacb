"""Bring records of older schema versions up to date, one version a step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from mibench.core.errors import StoreError
from mibench.records.record import SCHEMA_VERSION

Raw = dict[str, Any]
Step = Callable[[Raw], Raw]


def _unchanged(raw: Raw) -> Raw:
    """Version 2 adds ``volatile.former``, which is empty in records of version 1."""
    return raw


STEPS: Mapping[int, Step] = {1: _unchanged}
"""The step from version n to n + 1, by n."""


def migrate(raw: Raw, *, steps: Mapping[int, Step] = STEPS, current: int = SCHEMA_VERSION) -> Raw:
    """Return ``raw`` in the current schema; ``raw`` itself is left as it is.

    Args:
        raw: A record as read from JSON.
        steps: The step from each older version to the next.
        current: The version to arrive at.

    Raises:
        StoreError: The version is missing, newer than this mibench, or no step leads on from it.
    """
    version = _version(raw, current)
    migrated = raw
    while version < current:
        if version not in steps:
            raise StoreError(
                f"Records of schema version {version} cannot be read.",
                why=f"This mibench knows no step from version {version} to {version + 1}.",
                do="Run the cell again.",
            )
        migrated = steps[version](copy.deepcopy(migrated))
        version += 1
        migrated["schema_version"] = version
    return migrated


def _version(raw: Raw, current: int) -> int:
    version = raw.get("schema_version")
    if type(version) is not int or version < 1:
        raise StoreError(
            "This is not a record.",
            why=f"Its schema_version is {version!r}, not a whole number from 1.",
            do="Check where the file comes from.",
        )
    if version > current:
        raise StoreError(
            f"The record has schema version {version}.",
            why=f"This mibench reads versions up to {current}.",
            do="Upgrade mibench: pip install --upgrade mibench.",
        )
    return version
