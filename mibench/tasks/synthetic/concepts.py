"""Concepts whose truth is known: single features, two features together or either, siblings, spurious pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mibench.tasks.synthetic.hierarchy import NO_PARENT
from mibench.tasks.synthetic.truth import Truth

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

Kind = Literal["single", "and", "or"]


@dataclass(frozen=True)
class KnownConcept:
    """Something that a sample has or has not.

    Attributes:
        kind: One feature; two features together; either of two.
        features: Which.
    """

    kind: Kind
    features: tuple[int, ...]

    @property
    def name(self) -> str:
        """Such as ``and-3-7``."""
        return "-".join([self.kind, *map(str, self.features)])

    def labels(self, fired: Bools) -> Bools:
        """Which samples have it. ``[n, features] -> [n]``."""
        own = fired[:, self.features]
        return np.asarray(own.any(axis=1) if self.kind == "or" else own.all(axis=1))


def probing_concepts(truth: Truth, count: int) -> list[KnownConcept]:
    """Return ``count`` concepts of each kind, of the most frequent features that have no relatives to each other.

    Args:
        truth: The features.
        count: Concepts of each kind.
    """
    sources = frequent_sources(truth)
    pairs = list(combinations(sources, 2))[:count]
    singles = [KnownConcept("single", (one,)) for one in sources[:count]]
    return singles + [KnownConcept(kind, pair) for kind in ("and", "or") for pair in pairs]


def sibling_groups(truth: Truth) -> list[tuple[int, ...]]:
    """Return the children of each parent, which exclude each other, those of the most frequent parent first."""
    parents = np.unique(truth.parents[truth.parents != NO_PARENT])
    ordered = parents[np.argsort(-truth.rates[parents], kind="stable")]
    return [tuple(np.flatnonzero(truth.parents == parent).tolist()) for parent in ordered]


def spurious_pairs(truth: Truth, count: int) -> list[tuple[int, int]]:
    """Return pairs of features of different trees, frequent ones, each in one pair."""
    sources = frequent_sources(truth)[: 2 * count]
    return list(zip(sources[::2], sources[1::2], strict=False))


def frequent_sources(truth: Truth) -> list[int]:
    """Features without parent that fire in at most half of the samples, the most frequent first."""
    ordered = truth.sources[np.argsort(-truth.rates[truth.sources], kind="stable")]
    return [int(one) for one in ordered if truth.rates[one] <= 0.5]


def even_rows(cells: Sequence[Bools], most: int) -> Ints:
    """Return as many rows of each cell, ``most`` at most, the first ones; ascending.

    Args:
        cells: Which rows are in each, no row in two. ``[n]`` each.
        most: Rows of a cell.
    """
    found = [np.flatnonzero(cell) for cell in cells]
    few = min(most, *(len(rows) for rows in found)) if len(found) > 1 else min(most, len(found[0]))
    return np.sort(np.concatenate([rows[:few] for rows in found]))
