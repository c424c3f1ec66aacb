"""What writers of foreign formats share: refuse by name what a format cannot hold, fold what it can, write whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mibench.artifacts.dictionaries.dictionary import Array, Dictionary
from mibench.core.errors import ArtifactError
from mibench.core.files import atomic_write


def cannot_hold(form: str, what: str) -> ArtifactError:
    """Return the error for a dictionary that a format has no place for."""
    return ArtifactError(
        f"This dictionary cannot be written as {form}.",
        why=f"The format cannot hold {what}.",
        do="Write it in another format; native and generic hold everything.",
    )


def unscaled(dictionary: Dictionary, form: str) -> dict[str, Array]:
    """Its tensors with a constant scaling folded in: ``W_enc·s``, and what is written divided by ``s``.

    Raises:
        ArtifactError: It has layer-norm scaling.
    """
    rule = dictionary.rule
    if rule.scaling == "layer-norm":
        raise cannot_hold(form, "layer-norm scaling")
    arrays = dict(dictionary.tensors)
    if rule.scaling == "constant":
        scale = rule.scale
        for name, factor in (("w_enc", scale), ("w_dec", 1 / scale), ("b_dec", 1 / scale)):
            arrays[name] = (arrays[name].astype(np.float64) * factor).astype(np.float32)
    return arrays


def write_settings(path: Path, values: Mapping[str, Any]) -> None:
    """Write settings as JSON, leaving out those that are not known."""
    known = {name: value for name, value in values.items() if value is not None}
    atomic_write(path, json.dumps(known, indent=2, sort_keys=True, allow_nan=False) + "\n")


def save_safetensors(path: Path, arrays: Mapping[str, Array], metadata: dict[str, str] | None = None) -> None:
    """Write float32 tensors."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path, metadata=metadata)
