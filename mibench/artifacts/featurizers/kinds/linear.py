"""linear: ``f = x W`` with ``W [d, k]`` and ``inverse [k, d]``; what is left, ``x − f inverse``, is carried."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mibench.artifacts.featurizers.kinds.kind import MAX_ERROR, Kind, Options
from mibench.artifacts.featurizers.operation import Array, refuse


def _check(tensors: Mapping[str, Array], _options: Options) -> None:
    weight, inverse = tensors["weight"], tensors["inverse"]
    if weight.shape[0] != weight.shape[1]:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(weight @ inverse - np.eye(len(weight), dtype=weight.dtype)).max(initial=0)
    if not error < MAX_ERROR:
        why = f"'inverse' of linear does not undo 'weight': the product misses the identity by {error:.2g}."
        raise refuse(why, "Give the inverse, in float64 if the matrix is badly conditioned.")


KIND = Kind("linear", lambda _: {"weight": ("d", "k"), "inverse": ("k", "d")}, width="k", check=_check)
