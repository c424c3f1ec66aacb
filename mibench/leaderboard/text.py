"""Names of records as text: they come from strangers, so nothing in them may act on a page or a sheet."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 100


def plain(text: str, longest: int = LONGEST) -> str:
    """Return ``text`` on one line without control, direction and private characters, shortened."""
    # Printable ASCII, as nearly all of it is, has nothing to replace.
    if not (text.isascii() and text.isprintable()):
        text = "".join(" " if each.isspace() else _visible(each) for each in text)
    shown = (re.sub(r" +", " ", text) if "  " in text else text).strip()
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def slug(text: str, longest: int = 60) -> str:
    """Return lower-case letters, digits and hyphens that remind of ``text``, for file names."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:longest].strip("-") or "group"


def markdown(text: str) -> str:
    """Return one-line ``text`` so that Markdown shows it as it is, also inside a table."""
    return re.sub(r"([\\`*_\[\]|~$#])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


def sheet(text: str) -> str:
    """Return one-line ``text`` so that a spreadsheet does not take it for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} else text


def number(value: float, digits: int) -> str:
    """Return ``value`` with ``digits`` decimals; what rounds to zero has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def duration(seconds: float) -> str:
    """Return seconds in the unit that people read."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "under 0.1 s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def memory(n_bytes: float) -> str:
    """Return bytes as MiB or GiB."""
    mebibytes = n_bytes / 2**20
    return f"{mebibytes:.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:.1f} GiB"


def count(value: float) -> str:
    """Return an amount with three significant digits, or whole where it is large."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _visible(character: str) -> str:
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character).startswith("C") else character
