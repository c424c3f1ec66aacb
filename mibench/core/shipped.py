"""Where the files that come with mibench are: inside an installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_places(*parts: str) -> list[Path]:
    """Where a shipped file or folder can be, the installed place first; it need not be there."""
    return [_PACKAGE.joinpath(*parts), _PACKAGE.parent.joinpath(*parts)]
