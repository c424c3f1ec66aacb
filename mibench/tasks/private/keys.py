"""Keyed draws and decisions: what only the holder of a salt can compute or foretell."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar

from mibench.core.errors import DataError
from mibench.core.hashing import canonical_json

SplitName = Literal["standings", "final"]
SPLITS: tuple[SplitName, ...] = ("standings", "final")
"""The private split that is scored during a round, and the one that is scored once, after it."""
SALT_BYTES = 16
"""Length of a salt, at least: 128 bits cannot be guessed."""
_T = TypeVar("_T")


def checked_salt(salt: bytes) -> bytes:
    """Return the salt.

    Raises:
        DataError: It is shorter than 16 bytes.
    """
    if len(salt) < SALT_BYTES:
        why = f"It has {len(salt)} bytes; private rows could be guessed."
        raise DataError("The salt is too short.", why=why, do=f"Draw {SALT_BYTES} bytes or more at random.")
    return salt


def keyed(salt: bytes, *what: Any) -> bytes:
    """Return HMAC-SHA256 of the canonical JSON of ``what`` under the salt."""
    return hmac.digest(salt, canonical_json(what), hashlib.sha256)


def side(salt: bytes, what: Any) -> SplitName:
    """Return the private split that something belongs to: each gets half of everything, as nobody can foretell."""
    return SPLITS[keyed(salt, "side", what)[0] % len(SPLITS)]


def shuffled(salt: bytes, items: Iterable[_T], name: Callable[[_T], Any]) -> list[_T]:
    """Return the items in the order of keyed hashes of their names, so that a place says nothing of an item."""
    return sorted(items, key=lambda item: keyed(salt, "order", name(item)))
