"""Splits of a labelled set in which no group is on two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from mibench.core.hashing import digest

SplitName = Literal["train", "validation", "test"]
_ENDS: tuple[tuple[int, SplitName], ...] = ((5, "train"), (7, "validation"), (10, "test"))
"""Where each split ends, in tenths of the rows."""


def split_of_groups(groups: Sequence[str], source: str, seed: int) -> dict[str, SplitName]:
    """Give each group a split: 50 % of the rows to train, 20 % to validation, 30 % to test.

    Groups stand in the order of the sha256 of seed, source and group; each goes where its middle row falls.

    Args:
        groups: Group of each row.
        source: Family of the data: sets of one family divide their common groups in the same order.
        seed: Another seed, other splits.
    """
    sizes = Counter(groups)
    found: dict[str, SplitName] = {}
    before = 0
    for group in sorted(sizes, key=lambda group: digest([seed, source, group])):
        middle = 2 * before + sizes[group]
        found[group] = next(name for end, name in _ENDS if 10 * middle <= 2 * end * len(groups))
        before += sizes[group]
    return found
