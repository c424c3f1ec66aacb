"""Digests of the models of a round, as records name them, from files alone: no weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mibench.core.errors import ModelError
from mibench.models.cache import converted_folder
from mibench.models.catalogue import CATALOGUE, ModelSpec
from mibench.models.digest import folder_digest
from mibench.models.hub import snapshot
from mibench.models.known import known_folder, known_models
from mibench.models.manifest import converted_manifest


def model_digest(name: str, folders: Mapping[str, Path]) -> str | None:
    """Return the digest of a model; None: nothing has that name.

    Args:
        name: As the rules have it: of ``folders``, of the catalogue, or of a model whose mechanism is known.
        folders: Models in transformers format on this machine, by name.

    Raises:
        ModelError: It is not on this machine, and cannot be fetched, or its folder is none of a model.
    """
    if name in folders:
        return folder_digest(folders[name]) if folders[name].is_dir() else None
    if name in CATALOGUE:
        return _of_catalogue(CATALOGUE[name])
    return folder_digest(known_folder(name)) if name in known_models() else None


def _of_catalogue(spec: ModelSpec) -> str:
    if not spec.is_converted:
        return folder_digest(snapshot(spec.hub_id, spec.revision, gated=spec.gated))
    manifest = converted_manifest(converted_folder(spec), spec)
    if manifest is None:
        why, do = "Its converted weights are not there.", f"mibench models pull {spec.name}"
        raise ModelError(f"The model {spec.name} is not on this machine.", why=why, do=do)
    return spec.weights_sha256 or str(manifest["folder_digest"])
