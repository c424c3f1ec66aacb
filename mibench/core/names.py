"""Help with names that are almost right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from mibench.core.errors import UsageError


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint naming the nearest known names, or all of them when they are few."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return "Did you mean " + " or ".join(f"'{match}'" for match in close) + "?"
    if not names:
        return "None is known here."
    shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"Known: {shown}."


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for an unknown name, with the nearest known ones."""
    return UsageError(f"Unknown {kind} '{name}'.", why=f"No {kind} has that name.", do=did_you_mean(name, known))
