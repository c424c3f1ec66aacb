"""Which true features imply which, from the parent of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mibench.metrics.sae.matching import Ints

NO_PARENT = -1


def ancestors(parents: Ints, feature: int) -> Iterator[int]:
    """Yield parent, grandparent and so on."""
    above = int(parents[feature])
    while above != NO_PARENT:
        yield above
        above = int(parents[above])


def lines(parents: Ints) -> list[Ints]:
    """Return the ancestors and descendants of each feature, ascending: those that fire together with it by rule."""
    found: list[list[int]] = [[] for _ in parents]
    for feature in range(len(parents)):
        for above in ancestors(parents, feature):
            found[feature].append(above)
            found[above].append(feature)
    return [np.sort(np.array(one, dtype=np.int64)) for one in found]


def trees(parents: Ints) -> Ints:
    """Return the root of each feature ``[features]``; of one without parent, itself."""
    roots = np.arange(len(parents))
    while (inner := parents[roots] != NO_PARENT).any():
        roots[inner] = parents[roots[inner]]
    return roots
