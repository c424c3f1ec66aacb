"""Write featurizers as MIB's triplets, which its loader reads: identity and orthogonal operations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mibench.artifacts.featurizers.featurizers import Featurizers, SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation, refuse
from mibench.artifacts.formats.mib_module import module_files
from mibench.artifacts.formats.mib_names import OUR_POSITIONS, POSITIONS, Cell, Unit, class_of, task_of
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.files import atomic_folder, check_name, exists, is_folder
from mibench.core.sites import Component, Site


@dataclass(frozen=True)
class Exported:
    """What an export did.

    Attributes:
        folder: Where the triplets are.
        units: MIB's names of the places.
        notes: How MIB's evaluation will take them differently.
    """

    folder: Path
    units: tuple[str, ...]
    notes: tuple[str, ...]


def export_triplets(
    featurizers: Featurizers,
    path: Path | str,
    *,
    position_map: Mapping[str, str | None] | None = None,
) -> Exported:
    """Write ``path/{TASK}_{MODEL}_{VARIABLE}``, whole or not at all; ``path`` is the submission's folder.

    Args:
        featurizers: What to write.
        path: The submission's folder; it may exist.
        position_map: MIB's token position ids, and the positions here that they are, as for an import.

    Raises:
        UsageError: The triplets' folder exists.
        ArtifactError: MIB's triplets cannot hold the featurizers, or its track has no such task or model.
        StoreError: They cannot be written.
    """
    featurizers.validate()
    cell = Cell(task_of(featurizers.task), class_of(featurizers.model), featurizers.variable)
    if "/" in cell.name or "\0" in cell.name:
        raise refuse(f"The variable '{cell.variable:.80}' cannot be part of a folder's name.", "Rename it.")
    folder = Path(path) / cell.name
    check_name(folder)
    if exists(folder) or (exists(path) and not is_folder(path)):
        taken = folder if exists(folder) else Path(path)
        raise UsageError(f"{taken} is not overwritten.", why="It exists.", do="Choose another name or remove it.")
    try:
        triplets = _triplets(featurizers, _tokens(cell, position_map or {}))
    except ArtifactError as error:
        raise ArtifactError("MIB's triplets cannot hold these featurizers.", why=error.why, do=error.do) from error
    _write(folder, triplets)
    return Exported(folder, tuple(one.unit.name for one in triplets), tuple(_notes(cell, triplets)))


@dataclass(frozen=True)
class _Triplet:
    """What three files hold."""

    unit: Unit
    operation: Operation
    indices: list[int] | None


def _tokens(cell: Cell, position_map: Mapping[str, str | None]) -> Mapping[str, str]:
    """MIB's id of each position that has one of another name."""
    tokens = {OUR_POSITIONS[token]: token for token in POSITIONS[cell.task] if token in OUR_POSITIONS}
    return tokens | {position: token for token, position in position_map.items() if position is not None}


def _triplets(featurizers: Featurizers, tokens: Mapping[str, str]) -> list[_Triplet]:
    triplets = []
    for one in featurizers.sites:
        try:
            triplets.append(_Triplet(_unit(one.site, tokens), _exported(one), _indices(one)))
        except ArtifactError as error:
            raise refuse(f"{one.site.name}: {error.why}", error.do) from error
    return triplets


def _unit(site: Site, tokens: Mapping[str, str]) -> Unit:
    if site.component not in {Component.RESIDUAL_POST, Component.HEAD}:
        raise refuse(f"MIB has no name for {site.component}.", "Its places are residual-post and head.")
    if site.component is Component.HEAD and site.position != "all":
        raise refuse("MIB's attention heads are taken at all tokens.", "Export heads at the position all.")
    return Unit(site.layer, site.head, tokens.get(site.position, site.position))


def _exported(one: SiteFeaturizer) -> Operation:
    """The one operation that does the same: identities go, and so does centring, which no interchange depends on."""
    needed = [part for part in one.operations if part.kind != "identity" and not _centres(part)]
    if len(needed) > 1:
        kinds = ", ".join(part.kind for part in needed)
        raise refuse(f"MIB's triplets hold one operation, and it has {kinds}.", "Hand in mibench's own format.")
    operation = needed[0] if needed else Operation("identity")
    if operation.kind not in {"identity", "orthogonal"}:
        do = "Hand in mibench's own format; MIB's holds identity and orthogonal featurizers."
        raise refuse(f"They have no operation {operation.kind:.40}.", do)
    return operation


def _centres(operation: Operation) -> bool:
    return operation.kind == "affine" and bool((operation.tensors["scale"] == 1).all())


def _indices(one: SiteFeaturizer) -> list[int] | None:
    if isinstance(one.select, np.ndarray):
        return [int(index) for index in np.flatnonzero(one.select)]
    return None if one.select == "all" else list(one.select)


def _notes(cell: Cell, triplets: list[_Triplet]) -> list[str]:
    notes = []
    selecting = sum(one.indices is not None for one in triplets)
    if selecting:
        notes.append(f"MIB's evaluation drops the feature indices of {selecting} places and swaps all features there.")
    foreign = sorted({one.unit.token for one in triplets} - set(POSITIONS[cell.task]))
    if foreign:
        notes.append(f"MIB does not define the positions {', '.join(foreign)}: it needs a token_position.py for them.")
    return notes


def _write(folder: Path, triplets: list[_Triplet]) -> None:
    import torch

    with atomic_folder(folder) as temporary:
        for one in triplets:
            for part, content in module_files(one.operation).items():
                try:
                    torch.save(content, temporary / f"{one.unit.name}_{part}")
                except RuntimeError as error:  # what torch says of a full disk
                    raise OSError(f"{error!s:.200}") from error
            (temporary / f"{one.unit.name}_indices").write_text(json.dumps(one.indices), encoding="utf-8")
