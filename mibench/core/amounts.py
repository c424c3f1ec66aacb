"""Sizes and times in the units in which they are read."""

from __future__ import annotations

_UNITS = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


def size(n_bytes: float) -> str:
    """Return a number of bytes in the unit in which it is read."""
    unit = next((unit for unit in ("kB", "MB", "GB") if n_bytes < 1e3 * _UNITS[unit]), "TB")
    return f"{n_bytes / _UNITS[unit]:.3g} {unit}"


def duration(seconds: float) -> str:
    """Return a time in the unit in which it is read."""
    if seconds < 1:
        return "under 1 s"
    unit, length = next(((unit, one) for unit, one in (("s", 1), ("min", 60)) if seconds < 60 * one), ("h", 3600))
    return f"{seconds / length:.2g} {unit}" if seconds < 100 * length else f"{seconds / length:.0f} {unit}"
