"""What is known for certain of a model's mechanism: the edges that carry a task, and where its variables live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file

from mibench.core.errors import DataError
from mibench.core.files import atomic_write, read_text
from mibench.core.sites import Component
from mibench.core.specs import Frozen

TRUTH_FILE = "truth.json"
SUBSPACES_FILE = "subspaces.safetensors"
"""Orthonormal rows ``[k, d_model]`` by name, beside the truth that names them."""
_MAX_BYTES = 16 * 1024 * 1024


class KnownSite(Frozen):
    """A place where a causal variable lives."""

    variable: str
    """Name in the task's causal model."""
    component: Component = Component.RESIDUAL_POST
    """What is read there."""
    layer: int = Field(ge=0)
    head: int | None = Field(default=None, ge=0)
    """For a head's output; None: the whole width."""
    position: str
    """Position selector of the task."""
    subspace: str | None = None
    """Tensor of ``subspaces.safetensors`` that spans it; None: the site is known, its directions are not."""


class TaskTruth(Frozen):
    """What is known of one task, under that task's counterfactuals.

    An edge is true where its value differs between clean and counterfactual prompts and reaches the answer.
    """

    edges: tuple[str, ...]
    """True edges of the graph, as ``source->destination``."""
    resolution: Literal["slot", "head"] = "slot"
    """Whether q, k and v of a head are told apart; head: an edge into one of them stands for the head."""
    sites: tuple[KnownSite, ...] = ()
    """Every place where a variable lives; more than one where it is carried along."""


class KnownTruth(Frozen):
    """The truth of a model, by task."""

    schema_version: Literal[1] = 1
    origin: Literal["planted", "trained", "published"]
    """Written by hand into the weights, trained into them, or taken over from somebody's file."""
    note: str = ""
    """What a reader of its numbers has to know."""
    tasks: dict[str, TaskTruth]


def write_truth(folder: Path, truth: KnownTruth) -> None:
    """Write ``truth.json`` to a model's folder.

    Raises:
        StoreError: The file cannot be written.
    """
    text = json.dumps(truth.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"
    atomic_write(folder / TRUTH_FILE, text)


def read_truth(folder: Path) -> KnownTruth | None:
    """Return the truth that lies beside a model's weights, or None where there is none.

    Raises:
        DataError: The file is no truth.
    """
    path = folder / TRUTH_FILE
    if not path.is_file():
        return None
    try:
        fields: Any = json.loads(read_text(path, max_bytes=_MAX_BYTES))
        return KnownTruth.model_validate(fields)
    except (ValueError, RecursionError) as error:
        raise _unusable(path, _first(error) if isinstance(error, ValidationError) else str(error)) from error


def read_subspaces(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Return the subspaces ``[k, d_model]`` that lie beside a model's weights, by name; none without their file.

    Raises:
        DataError: The file cannot be read, is too large, or holds something else.
    """
    path = folder / SUBSPACES_FILE
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"It is larger than {_MAX_BYTES} bytes.")
        found: dict[str, NDArray[np.float32]] = load_file(path)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unusable(path, str(error)) from error
    for name, rows in found.items():
        if rows.ndim != 2 or rows.dtype != np.float32 or not np.isfinite(rows).all():
            raise _unusable(path, f"'{name}' is no matrix of finite float32 numbers.")
    return found


def _unusable(path: Path, why: str) -> DataError:
    return DataError(f"{path} cannot be used.", why=why, do="Correct it, or remove it: the model works without.")


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}."
