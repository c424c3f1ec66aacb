"""Submissions that hold methods: what is scored of them is what their methods made.

It lies in ``submissions/<number>/made``: an ordinary submission, and whether it was made twice alike. The folder is
there whole or not at all; what is there is never made again.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from mibench.core.errors import MibenchError, StoreError
from mibench.core.files import MIB, is_folder, read_text
from mibench.core.specs import Frozen
from mibench.intake.manifest import Sha256
from mibench.shared_task.entries import Entry
from mibench.shared_task.folder import RoundFolder
from mibench.shared_task.pieces import read_submission

MADE = "made"
FACTS = "made.json"


class Facts(Frozen):
    """How the artifacts of a submission were made."""

    made_from: Sha256
    """sha256 of the manifest with the methods."""
    reproduced: bool
    """Whether both makings gave the same bytes."""
    backend: str
    """What confined them."""


def holds_methods(folder: RoundFolder, entry: Entry) -> bool:
    """Whether a submission holds methods; one that cannot be read any more does not."""
    try:
        return bool(read_submission(folder.submission(entry.id) / entry.folder_name).methods)
    except MibenchError:
        return False


def made_folder(folder: RoundFolder, entry: Entry) -> Path | None:
    """The artifacts of a submission's methods, as a submission; None: they are not made."""
    found = folder.submission(entry.id) / MADE / entry.folder_name
    return found if is_folder(found) else None


def is_ready(folder: RoundFolder, entry: Entry) -> bool:
    """Whether a submission can be scored: it holds artifacts, or they were made of its methods."""
    return made_folder(folder, entry) is not None or not holds_methods(folder, entry)


def scored_folder(folder: RoundFolder, entry: Entry) -> Path:
    """What is scored of a submission: what its methods made, or what was handed in."""
    return made_folder(folder, entry) or folder.submission(entry.id) / entry.folder_name


def is_reproduced(folder: RoundFolder, entry: Entry) -> bool:
    """Whether the artifacts of a submission's methods were made twice alike.

    Raises:
        StoreError: What says so is damaged.
    """
    path = folder.submission(entry.id) / MADE / FACTS
    if made_folder(folder, entry) is None:
        return False
    try:
        return Facts.model_validate_json(read_text(path, max_bytes=MIB)).reproduced
    except (MibenchError, ValidationError) as error:
        why = "It is not as it was written."
        raise StoreError(f"{path} cannot be used.", why=why, do="Restore it, or remove its folder.") from error
