"""Where artifact files come from: paths, folders of many, patterns, and repositories of the hub."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mibench.artifacts.dictionary_files import is_dictionary
from mibench.core.errors import ModelError, UsageError
from mibench.core.files import exists, is_folder
from mibench.models.hub import hub_folder

PREFIX = "hub:"
MAX_FILES = 10_000
_REF = re.compile(r"hub:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+))?(?:/(?P<inside>[\w./*-]+))?")
_ARTIFACTS = ("*.safetensors", "*.npz", "*.pt", "*.json")


@dataclass(frozen=True)
class HubRef:
    """A folder of a hub repository.

    Attributes:
        repo: ``organisation/name``.
        revision: Commit, branch or tag; None: ``main``.
        inside: Path or pattern of folders in it; None: all of it.
    """

    repo: str
    revision: str | None
    inside: str | None

    @classmethod
    def parse(cls, ref: str) -> HubRef:
        """Read ``hub:org/name@revision/path``.

        Raises:
            UsageError: It is not written so, or leaves the repository.
        """
        found = _REF.fullmatch(ref)
        if found is None or ".." in Path(found["inside"] or "").parts:
            raise UsageError(
                f"'{ref[:200]}' is not a place on the hub.",
                why="It is written hub:ORG/NAME, then @REVISION and /FOLDER where they are needed.",
                do="Correct it.",
            )
        return cls(found["repo"], found["revision"], found["inside"])

    def fetch(self) -> Path:
        """Fetch the artifacts of the folder and return where it lies.

        Raises:
            ModelError: It could not be fetched.
        """
        inside = f"{self.inside}/" if self.inside else ""
        try:
            return hub_folder(self.repo, self.revision, [inside + pattern for pattern in _ARTIFACTS])
        except ModelError as error:
            do = "Check name, revision and connection; or fetch it yourself, and give the path of the file or folder."
            raise ModelError(error.what, why=error.why, do=do) from error


def artifact_paths(ref: str) -> list[Path]:
    """The artifacts that a reference names, sorted: a file or folder itself, else those found in it.

    Raises:
        UsageError: There is none.
        ModelError: A repository of the hub could not be fetched.
    """
    if ref.startswith(PREFIX):
        return _inside(HubRef.parse(ref).fetch(), ref)
    if exists(ref):
        return _of_folder(Path(ref), ref) if is_folder(ref) else [Path(ref)]
    found = [Path(name) for name in sorted(glob.glob(ref, recursive=True))]  # noqa: PTH207 - the pattern may be absolute
    return found or [Path(ref)]


def _of_folder(folder: Path, ref: str) -> list[Path]:
    """The dictionaries in a folder; or the folder itself, where its files may be an artifact of another track."""
    found = sorted(_dictionaries(folder))
    return [folder] if not found and any(one.is_file() for one in folder.iterdir()) else _some(found, ref)


def _inside(folder: Path, ref: str) -> list[Path]:
    return _some(sorted(_dictionaries(folder)), ref)


def _some(found: list[Path], ref: str) -> list[Path]:
    if not found:
        why = "No folder in it is of a known format."
        raise UsageError(f"There is no dictionary in {ref}.", why=why, do="Check it.")
    return found


def _dictionaries(folder: Path) -> Iterator[Path]:
    """Dictionaries below a folder; one that is found is not looked into."""
    if is_dictionary(folder):
        yield folder
        return
    for number, one in enumerate(sorted(folder.iterdir())):
        if number >= MAX_FILES:
            return
        if one.is_dir():
            yield from _dictionaries(one)
        elif one.suffix in {".safetensors", ".npz"} and is_dictionary(one):
            yield one
