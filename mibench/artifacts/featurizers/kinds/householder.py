"""householder: reflections one after another, ``x ← x − 2 (x·v) v / ‖v‖²`` for each row ``v`` of ``vectors [m, d]``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mibench.artifacts.featurizers.kinds.kind import Kind, Options
from mibench.artifacts.featurizers.operation import Array, refuse


def _check(tensors: Mapping[str, Array], _options: Options) -> None:
    with np.errstate(divide="ignore", over="ignore"):
        usable = np.isfinite(1 / (tensors["vectors"] ** 2).sum(axis=1))
        usable &= np.isfinite((tensors["vectors"] ** 2).sum(axis=1))
    if not usable.all():
        raise refuse(f"Row {int((~usable).argmax())} of 'vectors' is 0, or has no usable length.", "Leave it out.")


KIND = Kind("householder", lambda _: {"vectors": ("m", "d")}, check=_check)
