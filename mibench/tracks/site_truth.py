"""Which subspace of a site a featurizer swaps, beside the one where the variable is known to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.artifacts.featurizers.featurizers import Featurizers, SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation
from mibench.artifacts.featurizers.selection import is_empty, mask_of
from mibench.core.errors import DataError
from mibench.core.truth import TaskTruth
from mibench.metrics.truth.site_table import same_place, true_sites
from mibench.metrics.truth.subspace import Overlap, subspace_overlap

Rows = NDArray[np.floating[Any]]

_LINEAR = {"identity", "affine", "orthogonal", "linear", "householder"}


def site_overlaps(featurizers: Featurizers, truth: TaskTruth, subspaces: Mapping[str, Rows]) -> dict[str, Overlap]:
    """Return how far the swapped subspace of each true site agrees with the variable's, by the name of the site.

    Args:
        featurizers: Of one variable, checked.
        truth: What is known of the task.
        subspaces: Bases by name, of rows: ``subspaces.safetensors``. ``[k, d]``

    Raises:
        DataError: The truth names a subspace that is not there.
    """
    places = true_sites(truth, featurizers.variable)
    return {
        one.site.name: _overlap(one, places[same_place(one.site)], subspaces)
        for one in featurizers.sites
        if same_place(one.site) in places
    }


def _overlap(one: SiteFeaturizer, names: Sequence[str | None], subspaces: Mapping[str, Rows]) -> Overlap:
    known = [name for name in names if name is not None]
    if len(known) < len(names):
        return Overlap(None, reason="the true subspace is not known")
    missing = [name for name in known if name not in subspaces]
    if missing:
        raise DataError(
            f"There is no subspace '{missing[0]}'.",
            why="The truth names it, and subspaces.safetensors does not hold it.",
            do="Write the model's folder again.",
        )
    true = np.concatenate([np.asarray(subspaces[name], dtype=np.float64) for name in known])
    found = swapped_directions(one, true.shape[1])
    if isinstance(found, str):
        return Overlap(None, reason=found)
    if found.shape[1] != true.shape[1]:
        return Overlap(None, reason=f"the site is {found.shape[1]} wide, the true subspace {true.shape[1]}")
    return subspace_overlap(found, true)


def swapped_directions(one: SiteFeaturizer, width: int) -> Rows | str:
    """Return directions that span what an interchange can change ``[selected, width]``, or why that is no subspace.

    Each is what one unit more of a selected feature adds to the activation.

    Args:
        one: A checked featurizer.
        width: Entries of the activation, where the operations do not tell.
    """
    kinds = [operation.kind for operation in one.operations]
    other = [kind for kind in kinds if kind not in _LINEAR]
    if other:
        return f"a featurizer with {other[0]} swaps no linear subspace"
    if is_empty(one.select):
        return "the featurizer swaps nothing"
    n_features = one.n_features(width)
    n_features = width if n_features is None else n_features
    rows: Rows = np.eye(n_features)[mask_of(one.select, n_features)]
    for operation in reversed(one.operations):
        rows = _undone(operation, rows)
    return rows


def _undone(operation: Operation, rows: Rows) -> Rows:
    """Changes of features ``[n, k]`` as changes of what the operation is given ``[n, d]``."""
    tensors = {name: array.astype(np.float64) for name, array in operation.tensors.items()}
    if operation.kind == "affine":
        return np.asarray(rows * tensors["scale"])
    if operation.kind == "orthogonal":
        return np.asarray(rows @ tensors["rotation"].T)
    if operation.kind == "linear":
        return np.asarray(rows @ tensors["inverse"])
    if operation.kind == "householder":
        for vector in tensors["vectors"][::-1]:
            rows = rows - 2 * np.outer(rows @ vector, vector) / (vector @ vector)
    return rows
