"""MIB's causal-variable submissions: read their triplets as featurizers; nothing in them is executed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mibench.artifacts.circuit import brief
from mibench.artifacts.featurizers.featurizers import MAX_SITES, Featurizers, SiteFeaturizer
from mibench.artifacts.featurizers.operation import Operation, refuse
from mibench.artifacts.featurizers.selection import Select
from mibench.artifacts.formats.mib_module import ModuleInfo, read_module
from mibench.artifacts.formats.mib_names import (
    OUR_POSITIONS,
    PARTS,
    TASKS,
    Unit,
    cell_folder,
    cell_folders,
    folders_in,
    is_position,
    model_of,
    parse_file,
    parse_folder,
)
from mibench.artifacts.formats.mib_report import ImportReport, Skipped, legacy_differences
from mibench.core.errors import ArtifactError, DataError, UsageError
from mibench.core.files import is_folder, read_text

MAX_INDICES_BYTES = 16 * 2**20
_CODE = ("featurizer.py", "token_position.py")

Parts = Mapping[str, Path]
"""The files of a triplet by part."""


@dataclass(frozen=True)
class Imported:
    """Featurizers, and how they were read.

    Attributes:
        featurizers: What is scored.
        report: What was read, what was not and why, and how MIB's evaluation differs.
    """

    featurizers: Featurizers
    report: ImportReport


def is_triplets(path: Path | str) -> bool:
    """Whether a folder is, or holds, one of MIB's folders of triplets; only names are looked at."""
    try:
        places = cell_folders(Path(path)) if is_folder(path) else []
        return any(any(_files(place)) or any(map(_has_files, folders_in(place))) for place in places)
    except OSError:
        return False


def task_of_triplets(path: Path | str) -> str:
    """Return our name of the task that a folder of triplets is for; only names are looked at.

    Raises:
        ArtifactError: The folder's name does not say, or several folders are in it.
    """
    try:
        return TASKS[parse_folder(cell_folder(Path(path)).resolve().name).task]
    except ArtifactError as error:
        raise ArtifactError(f"{path} cannot be used as featurizers.", why=error.why, do=error.do) from error


def import_triplets(
    path: Path | str,
    *,
    model: str | None = None,
    position_map: Mapping[str, str | None] | None = None,
    positions: Mapping[str, str] | None = None,
) -> Imported:
    """Read a folder ``{TASK}_{MODEL}_{VARIABLE}`` of MIB's triplets, or a submission that holds one such.

    Feature indices are honoured, an empty list swaps nothing, and a triplet that cannot be read is not scored.

    Args:
        path: The folder.
        model: Name of the model; it has to be stated where the class in the folder's name fits several.
        position_map: MIB's token position ids, and the task's positions that they are; None leaves one out.
        positions: The task's own positions by every name that they have; None: not known, an id is taken for the
            name of a position, but MIB's own for what they are called here (``last_token`` for ``last``).

    Raises:
        UsageError: There is no such folder, or the model is not stated.
        ArtifactError: Nothing in it can be read.
    """
    top = Path(path)
    if not is_folder(top):
        raise UsageError(f"{top} cannot be read.", why="There is no such folder.", do="Check the path.")
    try:
        return _import(top, model, _Positions(position_map or {}, positions))
    except ArtifactError as error:
        raise ArtifactError(f"{top} cannot be used as featurizers.", why=error.why, do=error.do) from error
    except OSError as error:
        why = f"{error.strerror or error}"
        raise ArtifactError(f"{top} cannot be used as featurizers.", why=why, do="Check the files.") from error


@dataclass(frozen=True)
class _Positions:
    """Says which position of the task an id is."""

    chosen: Mapping[str, str | None]
    known: Mapping[str, str] | None

    def of(self, token: str) -> str | None:
        """The position; None: the caller leaves it out.

        Raises:
            LookupError: No position is known for it.
        """
        if token in self.chosen:
            name = self.chosen[token]
        elif self.known is not None:
            name = self.known[token]
        else:
            name = OUR_POSITIONS.get(token, token)
        if name is not None and not is_position(name):
            raise LookupError(token)
        return name


def _import(top: Path, model: str | None, positions: _Positions) -> Imported:
    folder = cell_folder(top)
    cell = parse_folder(folder.resolve().name)
    name = model_of(cell, model)
    triplets = _triplets(folder)
    if len(triplets) > MAX_SITES:
        raise refuse(f"It holds {len(triplets)} triplets; the limit is {MAX_SITES}.", "Give fewer.")
    read, skipped, unmapped = _read_all(triplets, positions)
    report = ImportReport(
        folder=folder.resolve().name,
        read=tuple(one.site.name for _, one in read),
        skipped=tuple(skipped),
        unmapped_positions=tuple(unmapped),
        code=tuple(_code(top, folder)),
        legacy=legacy_differences(read, list(triplets), skipped),
    )
    if not read:
        whys = [one.why for one in skipped] or ["It holds no files that are named as MIB names them."]
        raise refuse(f"Nothing in it can be read. {whys[0]}", "Convert what MIB's own code has saved.")
    meta = {"source": {"format": "mib", "folder": report.folder}}
    found = Featurizers(name, TASKS[cell.task], cell.variable, tuple(one for _, one in read), meta)
    found.validate()
    return Imported(found, report)


def _code(top: Path, folder: Path) -> Iterator[str]:
    """Python files of the submission; one that is a single folder has them beside it."""
    places = [top, folder, *folders_in(folder)]
    beside = folder.resolve().parent
    if any((beside / name).is_file() for name in _CODE):
        places.append(beside)
    yield from sorted({path.name for place in places for path in place.glob("*.py")})


def _files(folder: Path) -> Iterator[tuple[Unit, str, Path]]:
    """Parts of triplets that lie in a folder."""
    for path in sorted(folder.iterdir()):
        parsed = parse_file(path.name)
        if parsed and path.is_file() and not path.is_symlink():
            yield (*parsed, path)


def _has_files(folder: Path) -> bool:
    return any(_files(folder))


def _triplets(folder: Path) -> dict[Unit, dict[str, Path]]:
    found = list(_files(folder))
    if not found:
        filled = [path for path in folders_in(folder) if _has_files(path)]
        if len(filled) > 1:
            names = ", ".join(path.name for path in filled[:8])
            raise refuse(f"It holds {len(filled)} folders of triplets: {names}.", "Leave one.")
        found = [part for path in filled for part in _files(path)]
    triplets: dict[Unit, dict[str, Path]] = {}
    for unit, part, path in found:
        parts = triplets.setdefault(unit, {})
        if part in parts:
            raise refuse(f"{parts[part].name:.120} and {path.name:.120} are the same part.", "Leave one.")
        parts[part] = path
    return triplets


def _read_all(
    triplets: Mapping[Unit, Parts], positions: _Positions
) -> tuple[list[tuple[Unit, SiteFeaturizer]], list[Skipped], list[str]]:
    read: list[tuple[Unit, SiteFeaturizer]] = []
    skipped: list[Skipped] = []
    unmapped: list[str] = []
    for unit, parts in triplets.items():
        try:
            position = positions.of(unit.token)
        except LookupError:
            unmapped += [] if unit.token in unmapped else [unit.token]
            skipped.append(Skipped(unit.name, f"'{unit.token:.80}' is no position of the task.", placed=False))
            continue
        if position is None:
            skipped.append(Skipped(unit.name, "The position map leaves it out.", placed=False))
            continue
        try:
            read.append((unit, _read(unit, parts, position, {one.site for _, one in read})))
        except ArtifactError as error:
            skipped.append(Skipped(unit.name, error.why))
        except OSError as error:
            skipped.append(Skipped(unit.name, f"It cannot be read: {error.strerror or error}."))
    return read, skipped, unmapped


def _read(unit: Unit, parts: Parts, position: str, taken: set[object]) -> SiteFeaturizer:
    site = unit.site(position)
    if site in taken:
        raise refuse(f"Another triplet is for {site.name} too.", "Map their positions apart.")
    missing = [part for part in PARTS[:2] if part not in parts]
    if missing:
        raise refuse(f"It has no {missing[0]} file.", "Give the whole triplet.")
    one = SiteFeaturizer(site, (_operation(parts),), _indices(parts))
    one.validate()
    return one


def _operation(parts: Parts) -> Operation:
    info, back = read_module(parts["featurizer"]), read_module(parts["inverse_featurizer"])
    if not _agree(info, back):
        raise refuse("The featurizer and its inverse do not belong together.", "Save them together.")
    return info.operation()


def _agree(info: ModuleInfo, back: ModuleInfo) -> bool:
    if info.rotation is None or back.rotation is None:
        return info.classes == back.classes and info.rotation is back.rotation
    return info.classes == back.classes and np.array_equal(info.rotation, back.rotation, equal_nan=True)


def _indices(parts: Parts) -> Select:
    if "indices" not in parts:
        return "all"
    try:
        value = json.loads(read_text(parts["indices"], max_bytes=MAX_INDICES_BYTES))
    except (DataError, UsageError, ValueError, RecursionError) as error:
        raise refuse("Its indices are not JSON.", "Write null or a list.") from error
    if value is None:
        return "all"
    if not isinstance(value, list) or not all(type(index) is int for index in value):
        raise refuse(f"Its indices are {brief(value)}, not null or a list of whole numbers.", "Write such.")
    return tuple(value)
