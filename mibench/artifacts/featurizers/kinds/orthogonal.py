"""orthogonal: ``f = x R`` with orthonormal columns, ``R [d, k]``; what is left, ``x − f Rᵀ``, is carried (DAS, PCA)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mibench.artifacts.featurizers.kinds.kind import MAX_ERROR, Kind, Options
from mibench.artifacts.featurizers.operation import Array, refuse


def _check(tensors: Mapping[str, Array], _options: Options) -> None:
    rotation = tensors["rotation"]
    width, columns = rotation.shape
    if columns > width:
        raise refuse(f"'rotation' has {columns} columns of {width} entries.", "Give at most as many columns as rows.")
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(rotation.T @ rotation - np.eye(columns, dtype=rotation.dtype)).max(initial=0)
    if not error < MAX_ERROR:
        why = f"The columns of 'rotation' are not orthonormal: RᵀR misses the identity by {error:.2g}."
        raise refuse(why, "Orthonormalise them (QR), or use linear with its inverse.")


KIND = Kind("orthogonal", lambda _: {"rotation": ("d", "k")}, width="k", check=_check)
