"""One step of a featurizer: a kind of the whitelist with its tensors and options; data, never code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibench.core.errors import ArtifactError

Array = NDArray[Any]


def refuse(why: str, do: str) -> ArtifactError:
    """Return the error for unusable featurizers."""
    return ArtifactError("These featurizers cannot be used.", why=why, do=do)


@dataclass(frozen=True, eq=False)
class Operation:
    """A step of a featurizer, such as ``Operation("orthogonal", {"rotation": rotation})``.

    Attributes:
        kind: Name of a kind of ``mibench.artifacts.featurizers.kinds``, which says tensors and options.
        tensors: Its arrays by name, float32 or float64; kept read-only. A CPU tensor of torch will do.
        options: Its settings, JSON values.
    """

    kind: str
    tensors: Mapping[str, Array] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        arrays = {name: _frozen(self.kind, name, value) for name, value in self.tensors.items()}
        object.__setattr__(self, "tensors", arrays)
        object.__setattr__(self, "options", dict(self.options))

    @property
    def n_parameters(self) -> int:
        """How many floating-point numbers it holds."""
        return sum(array.size for array in self.tensors.values() if np.issubdtype(array.dtype, np.floating))


def _frozen(kind: str, name: str, value: object) -> Array:
    try:
        array = np.array(value, order="C")
    except (RuntimeError, TypeError, ValueError) as error:
        why = f"'{name}' of {kind} is no array: {error!s:.200}"
        raise refuse(why, "Give numpy arrays, or tensors on the CPU, detached.") from error
    array.setflags(write=False)
    return array
