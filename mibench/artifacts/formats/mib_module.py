"""One module file of MIB's triplets: what a featurizer is called, and its rotation; read as data, never as code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mibench.artifacts.circuit import brief
from mibench.artifacts.featurizers.checks import MAX_ENTRIES
from mibench.artifacts.featurizers.operation import Array, Operation, refuse
from mibench.core.files import MIB
from mibench.core.torch_archive.limits import Limits
from mibench.core.torch_archive.read import read_torch
from mibench.core.torch_archive.tensors import Tensor

if TYPE_CHECKING:
    import torch

IDENTITY = ("IdentityFeaturizerModule", "IdentityInverseFeaturizerModule")
SUBSPACE = ("SubspaceFeaturizerModule", "SubspaceInverseFeaturizerModule")
SAE = ("SAEFeaturizerModule", "SAEInverseFeaturizerModule")
MAX_BYTES = 4096 * MIB
_LIMITS = Limits(file_bytes=MAX_BYTES, parts=64, tuples=500)
_FLOATS = ("float16", "bfloat16", "float32", "float64")
_DO = "Save it as MIB does, or hand in featurizers of mibench."


@dataclass(frozen=True, eq=False)
class ModuleInfo:
    """What a file says.

    Attributes:
        classes: Names of the featurizer's class and of its inverse.
        n_features: Number of features, if said.
        rotation: ``[d, k]``, of a subspace.
    """

    classes: tuple[str, str]
    n_features: int | None
    rotation: Array | None = None

    def operation(self) -> Operation:
        """What it does.

        Raises:
            ArtifactError: Its class is not one whose content is data.
        """
        if self.classes == IDENTITY:
            return Operation("identity")
        if self.classes == SUBSPACE and self.rotation is not None:
            return Operation("orthogonal", {"rotation": self.rotation})
        if self.classes == SUBSPACE:
            raise refuse("It has no rotation_matrix.", _DO)
        if self.classes[0] == SAE[0]:
            raise refuse("It names a sparse autoencoder without its weights.", "Hand it in as the operation sae.")
        why = f"Its class {self.classes[0]:.80} is code of its own, which is never run."
        raise refuse(why, "Say what it computes as operations, with save_featurizers.")


def read_module(path: Path) -> ModuleInfo:
    """Read a ``_featurizer`` or ``_inverse_featurizer`` file.

    Raises:
        ArtifactError: It holds anything but plain data, or not what MIB writes.
    """
    found = read_torch(path, _LIMITS)
    info = found.get("model_info") if type(found) is dict else None
    if type(info) is not dict:
        raise refuse("It holds no dict with model_info.", _DO)
    classes = tuple(info.get(key) for key in ("featurizer_class", "inverse_featurizer_class"))
    if not all(type(name) is str for name in classes):
        raise refuse("Its model_info does not name two classes.", _DO)
    config = info.get("additional_config")
    rotation = config.get("rotation_matrix") if type(config) is dict else None
    n_features = info.get("n_features")
    if n_features is not None and (type(n_features) is not int or n_features < 0):
        raise refuse(f"Its n_features is {brief(n_features)}.", _DO)
    return ModuleInfo((str(classes[0]), str(classes[1])), n_features, None if rotation is None else _matrix(rotation))


def _matrix(tensor: object) -> Array:
    """The values of an ordinary matrix that owns them; strides are allowed."""
    if not isinstance(tensor, Tensor):
        raise refuse(f"rotation_matrix is {brief(tensor)}, not an ordinary tensor.", _DO)
    if len(tensor.shape) != 2 or not 0 < tensor.size <= MAX_ENTRIES:
        raise refuse(f"rotation_matrix has shape {list(tensor.shape)[:4]}.", "Give [d, k].")
    if tensor.dtype not in _FLOATS:
        raise refuse(f"rotation_matrix holds torch.{tensor.dtype}.", "Save it as float32.")
    if tensor.repeats:
        raise refuse("rotation_matrix repeats values instead of holding them.", "Save it .contiguous().")
    values: Array = tensor.array().astype(np.float64 if tensor.dtype == "float64" else np.float32, order="C")
    return values


def module_files(operation: Operation) -> dict[str, Any]:
    """Return what both module files of an identity or orthogonal ``operation`` hold, by part, for MIB's loader."""
    if operation.kind == "identity":
        return _both(IDENTITY, None, {}, {})
    rotation = np.array(operation.tensors["rotation"], dtype=np.float32)
    config = {"rotation_matrix": _tensor(rotation), "requires_grad": False}
    return _both(SUBSPACE, rotation.shape[1], config, _parametrised(rotation))


def _both(
    classes: tuple[str, str], n_features: int | None, config: dict[str, Any], state: dict[str, Any]
) -> dict[str, Any]:
    info = {
        "featurizer_class": classes[0],
        "inverse_featurizer_class": classes[1],
        "n_features": n_features,
        "additional_config": config,
    }
    return {part: {"model_info": info, "state_dict": state} for part in ("featurizer", "inverse_featurizer")}


def _parametrised(rotation: Array) -> dict[str, Any]:
    """The state of torch's orthogonal parametrisation at ``rotation``: minus the identity, on a base that begins so."""
    columns = rotation.shape[1]
    base = np.linalg.qr(rotation.astype(np.float64), mode="complete")[0].astype(np.float32)
    base[:, :columns] = rotation
    prefix = "rotate.parametrizations.weight"
    return {
        f"{prefix}.original": _tensor(-np.eye(*rotation.shape, dtype=np.float32)),
        f"{prefix}.0.base": _tensor(base),
    }


def _tensor(array: Array) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array))
