"""The manifest of featurizers: everything but the numbers, as JSON with names of tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from mibench.artifacts.circuit import brief
from mibench.artifacts.featurizers.featurizers import MAX_SITES, Featurizers, SiteFeaturizer
from mibench.artifacts.featurizers.operation import Array, Operation, refuse
from mibench.artifacts.featurizers.selection import Select
from mibench.core.errors import DataError
from mibench.core.hashing import array_digest, canonical_json
from mibench.core.sites import Site

SCHEMA_VERSION = 1
MAX_MANIFEST = 16 * 2**20
_Name = Annotated[str, Field(max_length=200)]


class _Part(BaseModel):
    """A part of the manifest; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OperationEntry(_Part):
    """An operation: its kind, and by role the names of its tensors."""

    kind: _Name
    tensors: dict[_Name, _Name] = {}
    options: dict[_Name, JsonValue] = {}


class Indices(_Part):
    """Names an int64 tensor of indices."""

    indices: _Name


class Mask(_Part):
    """Names a bool tensor."""

    mask: _Name


class SiteEntry(_Part):
    """A site; ``select`` has to be there, and null is refused."""

    site: _Name
    operations: tuple[OperationEntry, ...]
    select: Literal["all"] | Indices | Mask


class Manifest(_Part):
    """The JSON beside the tensors."""

    schema_version: Literal[1]
    model: _Name
    task: _Name
    variable: _Name
    method: _Name | None = None
    params: dict[str, JsonValue] = {}
    meta: dict[str, JsonValue] = {}
    sites: tuple[SiteEntry, ...] = Field(max_length=MAX_SITES)

    @property
    def tensor_names(self) -> set[str]:
        """Names of all tensors that it speaks of."""
        names = {name for one in self.sites for part in one.operations for name in part.tensors.values()}
        for one in self.sites:
            if isinstance(one.select, Indices):
                names.add(one.select.indices)
            elif isinstance(one.select, Mask):
                names.add(one.select.mask)
        return names


class TensorPool:
    """Gives arrays names; equal arrays, such as one dictionary at many sites, are kept once."""

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[str, str] = {}

    def name_of(self, array: Array) -> str:
        """Return the name of ``array``, a new one if it is new."""
        key = array_digest(array)
        name = self._names.setdefault(key, f"tensor{len(self._names):05d}")
        self.arrays.setdefault(name, array)
        return name


def pack(featurizers: Featurizers) -> tuple[bytes, dict[str, Array]]:
    """Return the manifest as JSON, and the arrays by name.

    Raises:
        ArtifactError: Parameters or meta are not JSON, or are too long.
    """
    pool = TensorPool()
    values = {
        "schema_version": SCHEMA_VERSION,
        "model": featurizers.model,
        "task": featurizers.task,
        "variable": featurizers.variable,
        "method": featurizers.method,
        "params": dict(featurizers.params),
        "meta": dict(featurizers.meta),
        "sites": [_site_entry(one, pool) for one in featurizers.sites],
    }
    try:
        text = canonical_json(values)
    except (TypeError, ValueError, RecursionError) as error:
        why = f"params, meta or options are not JSON: {error!s:.200}"
        raise refuse(why, "Keep numbers, text, lists and objects there.") from error
    if len(text) > MAX_MANIFEST:
        raise refuse(f"The manifest takes {len(text)} bytes; the limit is {MAX_MANIFEST}.", "Keep less in meta.")
    return text, pool.arrays


def _site_entry(one: SiteFeaturizer, pool: TensorPool) -> dict[str, Any]:
    operations = [
        {
            "kind": part.kind,
            "tensors": {name: pool.name_of(array) for name, array in sorted(part.tensors.items())},
            "options": dict(part.options),
        }
        for part in one.operations
    ]
    select: object = one.select
    if isinstance(one.select, np.ndarray):
        select = {"mask": pool.name_of(one.select)}
    elif one.select != "all":
        select = {"indices": pool.name_of(np.array(one.select, dtype=np.int64))}
    return {"site": one.site.name, "operations": operations, "select": select}


def parse(text: str) -> Manifest:
    """Read a manifest.

    Raises:
        ArtifactError: It is too long, of another version, or not understood.
    """
    if len(text) > MAX_MANIFEST:
        raise refuse(f"The manifest takes {len(text)} characters; the limit is {MAX_MANIFEST}.", "Keep less in meta.")
    try:
        values = json.loads(text)
        if isinstance(values, dict) and values.get("schema_version") not in (None, SCHEMA_VERSION):
            raise refuse(f"It has schema version {brief(values['schema_version'])}.", "Update mibench.")
        return Manifest.model_validate(values)
    except (ValidationError, ValueError, RecursionError) as error:
        why = " ".join(str(error).splitlines()[:3])
        raise refuse(f"The manifest is not understood: {why:.300}", "Write it with mibench, or fix it.") from error


def unpack(manifest: Manifest, arrays: Mapping[str, Array]) -> Featurizers:
    """Return what a manifest and its arrays say.

    Raises:
        ArtifactError: A site or selection is wrong.
    """
    return Featurizers(
        model=manifest.model,
        task=manifest.task,
        variable=manifest.variable,
        sites=tuple(_site(entry, arrays) for entry in manifest.sites),
        meta=manifest.meta,
        method=manifest.method,
        params=manifest.params,
    )


def _site(entry: SiteEntry, arrays: Mapping[str, Array]) -> SiteFeaturizer:
    try:
        site = Site.parse(entry.site)
    except DataError as error:
        raise refuse(f"{error.what} {error.why}", error.do) from error
    operations = tuple(
        Operation(part.kind, {role: arrays[name] for role, name in part.tensors.items()}, part.options)
        for part in entry.operations
    )
    return SiteFeaturizer(site, operations, _select(entry, arrays))


def _select(entry: SiteEntry, arrays: Mapping[str, Array]) -> Select:
    if isinstance(entry.select, str):
        return entry.select
    wants_mask = isinstance(entry.select, Mask)
    array = arrays[entry.select.mask if isinstance(entry.select, Mask) else entry.select.indices]
    if array.ndim != 1 or array.dtype != (np.bool_ if wants_mask else np.int64):
        do = "Give a bool mask or int64 indices, one dimension."
        raise refuse(f"{entry.site} selects by {array.dtype!s:.20} {list(array.shape)[:4]}.", do)
    return array if wants_mask else tuple(array.tolist())
