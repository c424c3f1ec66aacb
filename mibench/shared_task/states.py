"""States of a submission, and how one follows another."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from mibench.core.errors import RoundError


class State(StrEnum):
    """Where a submission stands, on one split."""

    PENDING = "PENDING"
    """Handed in, not checked."""
    CHECKED = "CHECKED"
    """Nothing is wrong with it; it waits for its turn."""
    RUNNING = "RUNNING"
    """It is being scored."""
    SCORED = "SCORED"
    """Its scores are there."""
    FAILED = "FAILED"
    """It cannot be scored; a reason says why."""
    WITHDRAWN = "WITHDRAWN"
    """Taken back."""


FOLLOWING: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.PENDING: frozenset({State.CHECKED, State.FAILED, State.WITHDRAWN}),
        State.CHECKED: frozenset({State.RUNNING, State.FAILED, State.WITHDRAWN}),
        # A job that is given back waits again.
        State.RUNNING: frozenset({State.CHECKED, State.SCORED, State.FAILED, State.WITHDRAWN}),
        State.SCORED: frozenset({State.WITHDRAWN}),
        State.FAILED: frozenset({State.WITHDRAWN}),
        State.WITHDRAWN: frozenset(),
    }
)
"""States that each one can turn into."""
ALIVE = frozenset({State.CHECKED, State.RUNNING, State.SCORED})
"""States of submissions that are, or may yet be, scored."""


def check_move(number: int, now: State, to: State) -> None:
    """Check that a submission can go from one state to another.

    Raises:
        RoundError: It cannot.
    """
    if to not in FOLLOWING[now]:
        allowed = ", ".join(sorted(FOLLOWING[now])) or "nothing"
        raise RoundError(
            f"Submission {number} cannot become {to}.",
            why=f"It is {now}, and can become {allowed}.",
            do="Look at its state with mibench shared-task status.",
        )
