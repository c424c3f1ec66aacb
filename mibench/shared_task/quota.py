"""How many valid submissions a team may hand in in seven days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from mibench.core.errors import RoundError

WEEK = timedelta(days=7)


def check_quota(times: Iterable[datetime], at: datetime, limit: int) -> None:
    """Check that one more valid submission at a time is within the quota.

    Those that are stamped later than ``at`` count too, so that a clock that steps back gives no more.

    Args:
        times: When a team's other valid submissions were handed in.
        at: When this one was.
        limit: How many there may be in any seven days.

    Raises:
        RoundError: It is not; the message says when the next one is possible.
    """
    counted = sorted(one for one in times if one > at - WEEK)
    if len(counted) < limit:
        return
    free = counted[len(counted) - limit] + WEEK
    raise RoundError(
        "The team's quota is used up.",
        why=f"It has handed in {len(counted)} valid submissions in seven days; the limit is {limit}.",
        do=f"Hand in the next one after {free.isoformat(sep=' ', timespec='minutes')}, or withdraw an unscored one.",
    )
