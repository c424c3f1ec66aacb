"""Files that all pages share: the style and the scripts."""

from __future__ import annotations

from mibench.leaderboard.site.environment import TEMPLATES

_FILES = ("style.css", "theme.js", "board.js", "compare.js")


def assets() -> dict[str, bytes]:
    """Return the files that are the same for every board."""
    return {f"assets/{name}": (TEMPLATES / name).read_bytes() for name in _FILES}
