"""Write a first submission.yaml, with comments, from artifacts and from what is said of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mibench.artifacts.circuit import CircuitScores
from mibench.artifacts.dictionaries.dictionary import Dictionary
from mibench.artifacts.dictionaries.native import is_native_dictionary, load_native
from mibench.artifacts.featurizers.featurizers import Featurizers
from mibench.artifacts.featurizers.files import load_featurizers
from mibench.artifacts.featurizers.native import is_native
from mibench.artifacts.files import load_scores
from mibench.core.errors import UsageError
from mibench.core.files import atomic_folder, atomic_write, check_name, exists, is_file, is_folder
from mibench.core.hashing import file_digest
from mibench.core.specs import Track
from mibench.intake.cells import TASKS
from mibench.intake.manifest import FILL_IN, MANIFEST, SUFFIXES
from mibench.intake.names import folder_name, name_fault, path_fault
from mibench.intake.rules import Rules
from mibench.models.catalogue import CATALOGUE
from mibench.models.known import known_models
from mibench.tasks.sae.dictionary_task import is_generated

FOLDER = "artifacts"


@dataclass(frozen=True)
class Wish:
    """What is said of a submission.

    Attributes:
        team: Name of the team.
        method: Name of the method.
        version: Version of the submission.
        tasks: Tasks of artifacts that do not say their own.
        models: Models, likewise.
        facts: Other keys of the manifest, as far as they are given.
    """

    team: str
    method: str
    version: str = "1"
    tasks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    facts: Mapping[str, str | None] = field(default_factory=dict)


def write_template(wish: Wish, artifacts: Path | None, parent: Path) -> Path:
    """Make a submission's folder with a manifest, and copies of artifacts.

    Args:
        wish: What is said of it.
        artifacts: A file, or a folder of .safetensors and .json files; None: none are there yet.
        parent: Folder of submissions.

    Returns:
        The new folder.

    Raises:
        UsageError: A name cannot be used, the folder is there, or there are no artifacts.
        ArtifactError: An artifact cannot be read.
        StoreError: It cannot be written.
    """
    new_folder(wish, parent)
    files = {} if artifacts is None else _artifacts(artifacts)
    return write_submission(
        wish, files, [_entry(path, f"{FOLDER}/{name}", wish) for name, path in files.items()], parent
    )


def write_submission(wish: Wish, files: Mapping[str, Path], entries: Sequence[Mapping[str, Any]], parent: Path) -> Path:
    """Make a submission's folder with a manifest and copies of files.

    Args:
        wish: What is said of it.
        files: Files by the names that they get below the folder of artifacts.
        entries: What the manifest says of each artifact.
        parent: Folder of submissions.

    Returns:
        The new folder.

    Raises:
        UsageError: A name cannot be used, or the folder is there.
        StoreError: It cannot be written.
    """
    folder = new_folder(wish, parent)
    with atomic_folder(folder) as temporary:
        for name, path in files.items():
            (temporary / FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, temporary / FOLDER / name)
        atomic_write(temporary / MANIFEST, _text(wish, entries))
    return folder


def new_folder(wish: Wish, parent: Path) -> Path:
    """The folder that a submission would get, which must not be there.

    Raises:
        UsageError: A name cannot be used, or the folder is there.
    """
    _check_names(wish)
    folder = parent / folder_name(wish.team, wish.method, wish.version)
    check_name(folder)
    if exists(folder) or folder.is_symlink():
        do = "Choose another version, or remove it."
        raise UsageError(f"{folder} is not overwritten.", why="It exists.", do=do)
    return folder


def _check_names(wish: Wish) -> None:
    for key in ("team", "method", "version"):
        why = name_fault(getattr(wish, key))
        if why:
            raise UsageError(f"The {key} '{getattr(wish, key)[:80]}' cannot be used.", why=why, do="Choose another.")


def _artifacts(place: Path) -> dict[str, Path]:
    """Files to hand in, by the names that they get."""
    if not exists(place):
        raise UsageError(f"{place} cannot be read.", why="There is no such file or folder.", do="Check the path.")
    suffixes = SUFFIXES[Track.CIRCUIT]
    paths = sorted(place.rglob("*")) if is_folder(place) else [place]
    top = place if is_folder(place) else place.parent
    found = {path.relative_to(top).as_posix(): path for path in paths if is_file(path) and path.suffix in suffixes}
    if not found:
        do = "Convert artifacts of other formats with mibench convert."
        raise UsageError(f"There is no artifact in {place}.", why=f"None ends in {' or '.join(suffixes)}.", do=do)
    for name, path in found.items():
        why = path_fault(f"{FOLDER}/{name}")
        if why or path.stat().st_size > Rules().file_bytes:
            why = why or f"It has more than {Rules().file_bytes} bytes."
            raise UsageError(f"{path} cannot be handed in.", why=why, do="Rename it, or put it on the hub.")
    return found


def _entry(path: Path, name: str, wish: Wish) -> dict[str, Any]:
    """What a manifest says of one artifact, as far as it says so itself."""
    found = _read(path)
    if isinstance(found, CircuitScores):
        own: dict[str, Any] = {"track": "circuit", **_ground(name, wish), "level": found.level.value}
    elif isinstance(found, Featurizers):
        own = {"track": "variable", "tasks": [found.task], "models": [found.model], "variable": found.variable}
    else:
        own = {"track": "sae", **_ground_of(found, wish)}
    return own | {"file": name, "sha256": file_digest(path), "bytes": path.stat().st_size}


def _read(path: Path) -> CircuitScores | Featurizers | Dictionary:
    if is_native_dictionary(path):
        return load_native(path)
    return load_featurizers(path) if is_native(path) else load_scores(path)


def _ground(name: str, wish: Wish) -> dict[str, Any]:
    """Task and model of a file that says neither: those that its name has in it, else those that are given."""
    model = _in_name(name, wish.models or [*CATALOGUE, *known_models()])
    task = _in_name(name.replace(model or "/", ""), wish.tasks or TASKS[Track.CIRCUIT].names())
    return {
        "tasks": [task] if task else list(wish.tasks) or [FILL_IN],
        "models": [model] if model else list(wish.models) or [FILL_IN],
    }


def _in_name(name: str, known: Iterable[str]) -> str | None:
    """The longest of ``known`` that ``name`` has in it."""
    return max((one for one in known if one in name), key=len, default=None)


def _ground_of(found: Dictionary, wish: Wish) -> dict[str, Any]:
    own = found.place.model
    if is_generated(own):
        return {"tasks": [own], "models": []}
    models = list(wish.models) or [own or FILL_IN]
    return {"tasks": list(wish.tasks) or ["sae-core"], "models": models, "hook": found.place.text}


_PLAIN: Sequence[tuple[str, str, str]] = (
    ("supersedes", "Version of the same team and method that this one takes the place of, if any.", ""),
    ("authors", "People, as they are to be shown.", FILL_IN),
    ("contact", "Where questions go: an address or a page.", FILL_IN),
    ("paper", "Page of the paper, if there is one.", ""),
    ("code", "Page of the code, if there is one.", ""),
    ("licence", "Licence of the artifacts, as SPDX writes it.", FILL_IN),
    ("description", "The method in one line.", FILL_IN),
)
"""Keys, what they mean, and what stands there where nothing is given; empty: the key is commented out."""


def _text(wish: Wish, entries: Sequence[Mapping[str, Any]]) -> str:
    """The manifest, every key with a comment."""
    lines = [
        "# A submission to mibench. Check it: mibench submit check FOLDER",
        f"# Replace every {FILL_IN}; lines that begin with # say nothing.",
        "schema_version: 1",
        "",
        "# The folder is named TEAM__METHOD@VERSION. ASCII letters, digits, - and dots.",
        *(f"{key}: {json.dumps(getattr(wish, key))}" for key in ("team", "method", "version")),
    ]
    for key, comment, default in _PLAIN:
        value = wish.facts.get(key) or default
        shown = f"[{_quoted(value)}]" if key == "authors" else _quoted(value)
        lines += ["", f"# {comment}", f"{key}: {shown}" if value else f"# {key}: …"]
    tracks = list(dict.fromkeys(one["track"] for one in entries)) or ["circuit"]
    lines += [
        "",
        "# Tracks of the artifacts: circuit, variable, sae.",
        f"tracks: [{', '.join(tracks)}]",
        "",
        "# Parameters of the method that hold for all artifacts.",
        "parameters: {}",
        "",
        "# What the artifacts were made from: splits of mibench's tasks that were used in any way (train, validation,",
        "# test), and data other than these, in words.",
        "training_data:",
        "  splits: [train]",
        "  # other: …",
        "",
        "# Boards that ask for several cells and that this is to be ranked on. mib: at least 2 tasks and 2 models.",
        "boards: []",
        "",
        *_artifact_lines(entries),
    ]
    return "\n".join(lines) + "\n"


def _artifact_lines(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = [
        "# One entry for each file; it is scored on all its tasks and models.",
        "#   circuit:  level: edge, node or neuron; of one circuit in place of a ranking also budget, the largest",
        "#             share of the graph's edges that it may have",
        "#   variable: variable: a variable of the task",
        "#   sae:      hook: where the dictionary reads, such as residual-post.L12",
        "#   seed: seed of the method, where it draws",
        "# A file of more than 50 MB is named, not handed in. In place of file:",
        "#   hub: {repo: ORG/NAME, revision: full commit hash, path: FILE}",
        "# In place of artifacts, where code is taken, methods that make them; made_from: is written by submit make.",
        "#   methods: track, tasks, models, level, variable, hook and seed as above; file: a .py file of this folder,",
        "#            function: its name, parameters: {}, sha256, bytes",
        "artifacts:",
    ]
    sample: dict[str, Any] = {"track": "circuit", "tasks": [FILL_IN], "models": [FILL_IN], "level": "edge"}
    sample |= {"file": f"{FOLDER}/{FILL_IN}.safetensors", "sha256": FILL_IN, "bytes": 0}
    for entry in entries or [sample]:
        first = "  - "
        for key, value in entry.items():
            lines.append(f"{first}{key}: {_quoted(value)}")
            first = "    "
    return lines


def _quoted(value: Any) -> str:
    """A value as YAML; JSON is."""
    return json.dumps(value, ensure_ascii=False)
