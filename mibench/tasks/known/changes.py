"""Counterfactuals by drawing again until they fit."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from mibench.core.errors import DataError
from mibench.tasks.interchange import Setting
from mibench.tasks.known.program import Change

_MAX_DRAWS = 10_000


def until(change: Change, fits: Callable[[Setting, Setting], bool]) -> Change:
    """Return a change that is drawn again until ``fits`` says so of the base and its counterfactual.

    Args:
        change: Draws a counterfactual of a setting.
        fits: Given the base and the counterfactual.

    Returns:
        The change; it raises DataError where nothing fits.
    """

    def drawn(random: Random, base: Setting) -> Setting:
        for _ in range(_MAX_DRAWS):
            other = change(random, base)
            if fits(base, other):
                return other
        raise DataError(
            "A setting has no counterfactual.",
            why=f"None of {_MAX_DRAWS} draws fits {dict(base)!r:.200}.",
            do="Ask for less of the counterfactual, or give the program more words.",
        )

    return drawn


def redrawn(draw: Callable[[Random], Setting]) -> Change:
    """Return the change that draws a whole new setting."""
    return lambda random, _base: draw(random)
