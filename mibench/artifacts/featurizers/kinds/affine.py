"""affine: ``f = (x − mean) / scale``, entry by entry, as for standardising before a PCA."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mibench.artifacts.featurizers.kinds.kind import Kind, Options
from mibench.artifacts.featurizers.operation import Array, refuse


def _check(tensors: Mapping[str, Array], _options: Options) -> None:
    with np.errstate(divide="ignore", over="ignore"):
        usable = np.isfinite(1 / tensors["scale"])
    if not usable.all():
        raise refuse(f"'scale' of affine is 0 at {int((~usable).argmax())}, or nearly.", "Use 1 where nothing varies.")


KIND = Kind("affine", lambda _: {"mean": ("d",), "scale": ("d",)}, check=_check)
