"""Trees of features: who is whose parent, and how often each fires."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mibench.tasks.synthetic.recipe import Firing, Forest

Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]

NO_PARENT = -1


def parents_of(forest: Forest | None, features: int) -> Ints:
    """Return the parent of each feature ``[features]``, `NO_PARENT` for roots and for features outside the trees.

    Generation by generation: roots are the most frequent features, then all their children, and so on. Features of the
    same parent stand side by side; a parent stands before its children.

    Raises:
        ValueError: The trees have more features than there are.
    """
    found = np.full(features, NO_PARENT, dtype=np.int64)
    if forest is None:
        return found
    if forest.size > features:
        raise ValueError(f"trees of {forest.size} features do not fit in {features}")
    start, count = 0, forest.roots
    for _ in range(forest.depth):
        below, children = start + count, count * forest.branching
        found[below : below + children] = start + np.arange(children) // forest.branching
        start, count = below, children
    return found


def wanted_rates(firing: Firing, features: int) -> Float64:
    """Return ``rank^−exponent``, shifted and stretched to lie between both rates. ``[features]``."""
    law = np.arange(1, features + 1, dtype=np.float64) ** -firing.exponent
    reach = law[0] - law[-1]
    share = (law - law[-1]) / reach if reach > 0 else np.ones(features)
    return np.asarray(firing.lowest + (firing.highest - firing.lowest) * share)


def possible_rates(wanted: Float64, parents: Ints) -> Float64:
    """Return how often each feature fires, exactly: as wanted, or less where siblings want more than their parent has.

    Siblings exclude each other and need their parent, so together they fire at most as often as it does; where they
    want more, all of them are scaled down to its rate. ``[features]``.
    """
    rates = wanted.copy()
    for parent in np.unique(parents[parents != NO_PARENT]):
        children = np.flatnonzero(parents == parent)
        rates[children] *= min(1.0, rates[parent] / wanted[children].sum())
    return rates
