"""Which features of a site are taken from the source: all, those at some indices, or those of a mask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.circuit import brief
from mibench.artifacts.featurizers.operation import refuse
from mibench.graph.graph import BoolArray

Select = Literal["all"] | tuple[int, ...] | NDArray[np.bool_]
"""Empty means that nothing is swapped; there is no default."""
_DO = 'Say "all", the indices of features, or a mask; an empty list swaps nothing.'


def checked_select(value: object) -> Select:
    """Return ``value`` as a selection: indices sorted, a mask read-only.

    Raises:
        ArtifactError: It is missing (None), or is none of the three.
    """
    if isinstance(value, str) and value == "all":
        return "all"
    if isinstance(value, np.ndarray) and value.dtype == np.bool_ and value.ndim == 1:
        mask = value.copy()
        mask.setflags(write=False)
        return mask
    if value is None:
        raise refuse("A site does not say which of its features are swapped.", _DO)
    if isinstance(value, np.ndarray) and value.ndim == 1 and np.issubdtype(value.dtype, np.integer):
        value = value.tolist()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise refuse(f"A site selects {brief(value)}.", _DO)
    return _indices(list(value))


def _indices(values: list[object]) -> tuple[int, ...]:
    found = [value for value in values if type(value) is int or isinstance(value, np.integer)]
    wrong = [value for value in values if isinstance(value, bool) or not isinstance(value, int | np.integer)]
    indices = sorted(int(value) for value in found)
    if wrong or (indices and indices[0] < 0):
        raise refuse(f"A site selects feature {brief(wrong[0] if wrong else indices[0])}.", _DO)
    if len(set(indices)) != len(indices):
        raise refuse("A site selects a feature twice.", "Name each index once.")
    return tuple(indices)


def check_range(select: Select, n_features: int) -> None:
    """Check that a selection fits features of this width.

    Raises:
        ArtifactError: An index is too large, or the mask has another length.
    """
    if isinstance(select, np.ndarray):
        if len(select) != n_features:
            raise refuse(f"A mask of {len(select)} entries selects from {n_features} features.", "Fix its length.")
    elif select != "all" and select and select[-1] >= n_features:
        raise refuse(f"A site selects feature {select[-1]} of {n_features}.", "Count from 0.")


def mask_of(select: Select, n_features: int) -> BoolArray:
    """Return the selection as a mask ``[n_features]``.

    Raises:
        ArtifactError: It does not fit.
    """
    check_range(select, n_features)
    if isinstance(select, np.ndarray):
        return select
    mask: BoolArray = np.full(n_features, select == "all")
    if select != "all":
        mask[list(select)] = True
    return mask


def is_empty(select: Select) -> bool:
    """Whether nothing is swapped."""
    return not select.any() if isinstance(select, np.ndarray) else len(select) == 0
