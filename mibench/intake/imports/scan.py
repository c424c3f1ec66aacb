"""Look through a source for the layouts that are known; names and headers decide, and nothing in it is run."""

from __future__ import annotations

import json
import mmap
import os
import stat
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mibench.artifacts.dictionaries.header import read_header
from mibench.artifacts.dictionary_files import is_dictionary
from mibench.artifacts.featurizers.native import is_native
from mibench.artifacts.formats.mib_names import is_cell, parse_file
from mibench.core.errors import ArtifactError, UsageError
from mibench.core.files import MIB
from mibench.core.torch_archive.read import read_torch
from mibench.intake.imports.items import Found
from mibench.intake.imports.unpack import MAX_DEPTH, RULES

MAX_JSON = 512 * MIB
_TORCH = (".pt", ".pth", ".bin")
_CODE = ".py"
_DICTIONARY_FILES = (".safetensors", ".npz")
_TARGETS, _OF_CIRCUITS = b"position_coeff", (b'"cfg"', b'"edges"')


@dataclass
class Scan:
    """What a source holds.

    Attributes:
        found: Artifacts.
        circuits: Files of circuit scores by their folder.
        ignored: Files that are not imported, and why.
    """

    found: list[Found] = field(default_factory=list)
    circuits: dict[str, list[Path]] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)


def scan(root: Path) -> Scan:
    """Look through a folder.

    Raises:
        UsageError: It holds too many files, or cannot be read.
    """
    result = Scan()
    try:
        _folder(root, root, result, _Budget(RULES.files))
    except OSError as error:
        why = f"{error.strerror or error}."
        raise UsageError(f"{root} cannot be read.", why=why, do="Check the path and its rights.") from error
    return result


@dataclass
class _Budget:
    """How many more entries may be looked at."""

    left: int


def _folder(folder: Path, root: Path, result: Scan, budget: _Budget) -> None:
    files, folders = _entries(folder, root, result, budget)
    place = folder.relative_to(root).as_posix()
    if len(folder.relative_to(root).parts) > MAX_DEPTH:
        result.ignored[place] = f"It is more than {MAX_DEPTH} folders deep."
        return
    for path in files:
        if path.suffix == _CODE:
            result.ignored[_name(path, root)] = "Code is never run or imported."
    if is_dictionary(folder):
        result.found.append(Found("dictionary", place, (folder,)))
        return
    if _is_triplets(folder, files, folders):
        result.found.append(Found("triplets", place, (folder,)))
        return
    for path in files:
        if path.suffix != _CODE:
            _file(path, root, result)
    for one in folders:
        _folder(one, root, result, budget)


def _entries(folder: Path, root: Path, result: Scan, budget: _Budget) -> tuple[list[Path], list[Path]]:
    """Files and folders by name; hidden ones are left out, links are not followed."""
    files, folders = [], []
    with os.scandir(folder) as listed:
        entries = sorted(islice(listed, budget.left + 1), key=lambda one: one.name)
    budget.left -= len(entries)
    if budget.left < 0:
        why = f"It holds more than {RULES.files} files and folders."
        raise UsageError(f"{root.name} is too large to import.", why=why, do="Name a folder of it.")
    for one in entries:
        mode, path = one.stat(follow_symlinks=False).st_mode, Path(one.path)
        if one.name.startswith("."):
            continue
        if stat.S_ISDIR(mode):
            folders.append(path)
        elif stat.S_ISREG(mode):
            files.append(path)
        else:
            result.ignored[_name(path, root)] = "It is a link or no plain file."
    return files, folders


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _is_triplets(folder: Path, files: list[Path], folders: list[Path]) -> bool:
    """Whether a folder holds triplets, or is named as one of theirs and has them in folders inside."""
    if any(parse_file(path.name) for path in files):
        return True
    return is_cell(folder.name) and any(_has_triplets(one) for one in folders)


def _has_triplets(folder: Path) -> bool:
    with os.scandir(folder) as listed:
        return any(parse_file(one.name) for one in islice(listed, RULES.files))


def _file(path: Path, root: Path, result: Scan) -> None:
    name = _name(path, root)
    if path.suffix.lower() in _DICTIONARY_FILES and is_dictionary(path):
        result.found.append(Found("dictionary", name, (path,)))
        return
    if is_native(path):
        result.found.append(Found("featurizers", name, (path,)))
        return
    why = _not_circuits(path)
    if why is None:
        result.circuits.setdefault(path.parent.relative_to(root).as_posix(), []).append(path)
    else:
        result.ignored[name] = why


def _not_circuits(path: Path) -> str | None:
    """Why a file holds no circuit scores, as far as its first look tells; None: it does, or it is damaged."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _not_json(path)
    if suffix == ".safetensors":
        return None if _is_native_scores(path) else "It is no .safetensors of mibench, nor a dictionary."
    if suffix not in _TORCH:
        return "It is in no layout that is known."
    if suffix != ".pt":
        return "Circuits are read from .pt and .json, dictionaries from their folders."
    try:
        found = read_torch(path)
    except ArtifactError:
        # Its reader says what is wrong with it.
        return None
    return None if isinstance(found, dict) and "cfg" in found else "It has no 'cfg', as circuits of MIB have."


def _not_json(path: Path) -> str | None:
    if path.stat().st_size > MAX_JSON:
        return f"It has more than {MAX_JSON} bytes."
    if not path.stat().st_size:
        return "It is empty."
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find(_TARGETS) >= 0:
            return "Targets come from the task, never from who hands in."
        is_circuit = all(content.find(word) >= 0 for word in _OF_CIRCUITS)
    return None if is_circuit else "It has no 'cfg' and 'edges', as circuits have."


def _is_native_scores(path: Path) -> bool:
    try:
        values = json.loads(read_header(path).metadata.get("mibench", "{}"))
    except (ArtifactError, OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and "level" in values and "graph" in values
